"""Holdfast keeps a trading system's book and its exchange account in agreement.

See docs/ARCHITECTURE.md for the house, docs/GLOSSARY.md for the words.
"""

__version__ = "0.1.0"
