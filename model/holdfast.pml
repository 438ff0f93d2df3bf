/*
 * Holdfast's protocol on one leg, small enough to be explored whole.
 *
 * Who acts: two processes of apply (0 and 1) of which one holds the lease, one reconciler, the venue, the wire, the
 * clock, a person at the exchange (foreign trades) and a person at the command line. Each step below is one atomic
 * transaction or one effect, as in the code; every order of steps is explored, with a crash possible between any two.
 * docs/model.md maps steps to functions, says what is left out, and why.
 *
 * Amounts are whole lots. `seq` numbers the venue's events: a view is as old as the number it was read at.
 * What is checked stands in `assert`: at the step that would break it, and in `settled()`, where no step is left.
 * `planted` switches one mistake on (0: none); explore.py must see each of them found.
 */

#define PLANS 2                 /* EXECUTE plans: orders 0 and 1 */
#define CLOSES 2                /* RECONCILE_CLOSE plans: orders 2 and 3 */
#define N 4
#define IS_CLOSE(i) ((i) >= PLANS)

/* an order's state in the journal */
#define NEW 0
#define CLAIMED 1               /* not executed, says the venue: may be permitted again */
#define SENDING 2
#define UNKNOWN 3
#define TAKEN 4
#define REFUSED 5
/* a close's state in the journal */
#define ABSENT 0
#define PLANNED 1
#define UNDERWAY 2              /* claimed */
#define OVER 3                  /* done, refused or superseded */
/* a process of apply */
#define STANDBY 0
#define ARRIVED 1               /* has the lease, has not taken over yet */
#define LEADS 2
/* what its hand does */
#define IDLE 0
#define READ 1                  /* has read a position for a close */
#define SIGNED 2                /* claim and intent are journaled */
#define LOOKED 3                /* has looked at its lease; the request leaves next */
#define WAITS 4                 /* for the answer */
#define AGAIN 5                 /* will ask for a permit again */
/* the venue's answer on the wire */
#define NONE 0
#define YES 1
#define NO 2
#define NOT_EXECUTED 3

/* --- the mistakes that can be planted ------------------------------------------------------------------------- */
#define RESENDS_UNKNOWN 1
#define SENDS_BEFORE_INTENT 2
#define NO_HOLD_CHECK 3
#define NO_FENCE_IN_STEP 4
#define LEASE_KEEPS_NUMBER 5
#define WINDOW_NOT_AWAITED 6
#define ONE_ABSENCE 7
#define BOOKS_TWICE 8
#define OLD_VIEWS_COUNT 9
#define CLOSE_PAST_DRIFT 10
#define CLOSE_NOT_REDUCE_ONLY 11
#define FORMULA_ALONE 12
#define CLOSE_BESIDE_ORDERS 13
#define TWO_CLOSES 14
#define RELEASE_UNDER_CLOSE 15
#define NO_TAKE_OVER 16
#define NO_ALERT 17
#define UNKNOWN_NOT_ASKED 18
#define TIMEOUT_IS_REFUSAL 19
#define ATTEMPTS_UNBOUNDED 20
#define ADOPT_BESIDE_ORDERS 21
#define STAMP_WITHOUT_VIEW 22
#define HOLD_CHECK_BEFORE_STEP 23
#define FILL_FORGOTTEN 24
#define RELEASE_UNDER_UNKNOWN 25

c_decl {
    extern char *getenv(const char *);
    extern int atoi(const char *);
    int from_environment(const char *name) { char *text = getenv(name); return text ? atoi(text) : 0; }
}

byte planted;
/* how often each misfortune may still happen */
byte crashes, powers, lapses, blinds, foreigns, stales, repeats, persons;

/* --- the journal ---------------------------------------------------------------------------------------------- */
byte st[N];
byte booked[N];                 /* times that the order's trade was booked */
byte cst[N];                    /* of closes; the first PLANS are unused */
short cq[N];                    /* signed quantity of the order: what it would add to the position */
bit expired[N];
short before;                   /* the position that the newest close was planned on */
short L;                        /* the ledger */
byte lf;                        /* seq of the last own fill that was booked */
bit agreed = 1;                 /* agreed_version is the ledger's version */
bit hold, alert;                /* the automatic hold; a person was told */
bit unk;                        /* it stands for an order that is UNKNOWN */
byte cause;                     /* seq of the view that caused the hold */
bit ohold;                      /* a person's hold */
bit stamp = 1;
byte lno = 1;                   /* number of the apply lease */
bit lheld = 1;

/* --- the processes' own memory -------------------------------------------------------------------------------- */
byte role[2], fence[2], pc[2], hand[2]; /* hand: the order that pc is about */
short pE[2];                    /* the position that was read for a close, and its seq */
byte pS[2];
byte ab[2];                     /* "does not exist" was heard once */
bit pH[2];                      /* only for HOLD_CHECK_BEFORE_STEP */
bit vw = 1;                     /* the reconciler has a view: */
short vwE;
byte vwS;
bit vwAfter;                    /* read after the hold was placed */
bit lost;                       /* the stream is gone; only a look brings sight back */
bit l2;                         /* the second look, taken under the hold: */
short l2E;
byte l2S;
bit ev;                         /* the trades were read for this ledger version: */
byte own;                       /* bits of own orders that they show unbooked */

/* --- the venue, the wire, time -------------------------------------------------------------------------------- */
short E, oldE;                  /* the position, and what it was one event ago */
byte seq, oldS;
bit net[N];                     /* the request is on the wire */
byte ans[N], acc[N], at[N], win[N]; /* acc: times accepted; at: seq of its trade; win: 1 past recvWindow, 2 well past */
bit vis[N];                     /* lookups show it */

/* --- the judge's knowledge, which no step may look at ----------------------------------------------------------- */
short G;                        /* what the ledger should be */
byte owner;                     /* who took the lease last */
byte lastForeign, cS[N];        /* seq of the last foreign trade; seq at which a close's position was read */
bit exc[N];                     /* was on its way when the hold was placed */
bit blind;                      /* the reconciler was blind, and has seen nothing since */

#define P(m) (planted == m)
#define ABS(x) (((x) < 0) -> (-(x)) : (x))
#define SAME(a, b) (((a) > 0 && (b) > 0) || ((a) < 0 && (b) < 0))
#define LEAST(a, b) (((a) < (b)) -> (a) : (b))
#define FLIES(i) (st[i] == SENDING || st[i] == UNKNOWN)
#define LIVE(i) (st[i] == CLAIMED || FLIES(i) || (st[i] == TAKEN && booked[i] < acc[i]))
#define ANY_LIVE (LIVE(0) || LIVE(1) || LIVE(2) || LIVE(3))
#define LIVE_BESIDE(i) ((i != 0 && LIVE(0)) || (i != 1 && LIVE(1)) || (i != 2 && LIVE(2)) || (i != 3 && LIVE(3)))
#define UNFINISHED(c) (cst[c] == PLANNED || cst[c] == UNDERWAY)
#define ANY_UNFINISHED (UNFINISHED(2) || UNFINISHED(3))
#define PERMITTED (((!hold && !ohold) || P(NO_HOLD_CHECK)) && !ANY_LIVE && agreed && stamp)
#define MAY(p) (role[p] == LEADS && (fence[p] == lno || P(NO_FENCE_IN_STEP)))
#define D (vwE - L)
#define VIEW_COUNTS (vw && (vwS >= lf || P(OLD_VIEWS_COUNT)))
#define OTHER(c) (5 - (c))

/* every transaction of apply: only who took the lease last may write */
#define WRITES(p) assert(owner == p)

/* --- apply: leases ---------------------------------------------------------------------------------------------- */

inline forget(p) {
    if
    :: pc[p] != IDLE && pc[p] != READ -> ans[hand[p]] = NONE
    :: else
    fi;
    role[p] = STANDBY; fence[p] = 0; pc[p] = IDLE; hand[p] = 0; pS[p] = 0; pE[p] = 0; ab[p] = 0; pH[p] = 0
}

inline leases(p) {
    if
    :: d_step { role[p] == STANDBY && !lheld ->
        if :: P(LEASE_KEEPS_NUMBER) -> skip :: else -> lno++ fi;
        lheld = 1; role[p] = ARRIVED; fence[p] = lno; owner = p;
        printf(">> apply %d takes the lease, number %d\n", p, lno) }
    :: d_step { role[p] == ARRIVED && fence[p] == lno ->
        WRITES(p); role[p] = LEADS;
        if :: P(NO_TAKE_OVER) || P(UNKNOWN_NOT_ASKED) -> skip :: else -> taken_over(0); taken_over(1); taken_over(2); taken_over(3) fi;
        printf(">> apply %d takes over what it finds\n", p) }
    :: d_step { role[p] != STANDBY && fence[p] == lno && !lheld ->
        lheld = 1; printf(">> apply %d renews its lease\n", p) }
    :: d_step { role[p] != STANDBY && fence[p] != lno && pc[p] != LOOKED && !P(NO_FENCE_IN_STEP) ->
        forget(p); printf(">> apply %d is fenced and ends\n", p) }
    :: d_step { role[p] != STANDBY && crashes > 0 ->
        crashes--; forget(p); printf(">> apply %d crashes\n", p) }
    fi
}

inline taken_over(i) {
    if
    :: st[i] == SENDING -> st[i] = UNKNOWN
    :: st[i] == CLAIMED -> refuse(i)
    :: else
    fi
}

inline refuse(i) {
    assert(acc[i] == 0 && !(net[i] && win[i] == 0)); /* no lie: it was not accepted, and can't be any more */
    st[i] = REFUSED; exc[i] = 0;
    if :: IS_CLOSE(i) -> cst[i] = OVER :: else fi
}

inline take(i) {
    st[i] = TAKEN; win[i] = 0; vis[i] = 0; exc[i] = 0;
    if :: IS_CLOSE(i) -> cst[i] = OVER; cS[i] = 0 :: else fi
}

/* --- apply: EXECUTE ------------------------------------------------------------------------------------------- */

inline executes(p, i) {
    if
    :: d_step { P(HOLD_CHECK_BEFORE_STEP) && MAY(p) && pc[p] == IDLE && st[i] == NEW && !hold && !ohold && !pH[p] ->
        pH[p] = 1 }
    :: d_step { MAY(p) && pc[p] == IDLE &&
        (st[i] == NEW || (P(RESENDS_UNKNOWN) && st[i] == UNKNOWN)) &&
        (PERMITTED || (P(RESENDS_UNKNOWN) && st[i] == UNKNOWN) ||
            (P(HOLD_CHECK_BEFORE_STEP) && pH[p] && !ANY_LIVE && stamp)) ->
        WRITES(p); assert(!blind);
        if :: P(SENDS_BEFORE_INTENT) -> skip :: else -> st[i] = SENDING fi;
        pc[p] = SIGNED; hand[p] = i; win[i] = 0; ab[p] = 0;
        printf(">> apply %d: plan %d is permitted, its intent journaled\n", p, i) }
    :: d_step { MAY(p) && pc[p] == IDLE && st[i] == NEW && !PERMITTED ->
        WRITES(p); refuse(i); printf(">> apply %d: plan %d is refused\n", p, i) }
    :: d_step { MAY(p) && pc[p] == AGAIN && hand[p] == i && (!hold && !ohold && !LIVE_BESIDE(i) && agreed && stamp) ->
        WRITES(p); assert(!blind); st[i] = SENDING; pc[p] = SIGNED; win[i] = 0; ab[p] = 0;
        printf(">> apply %d: plan %d is permitted again\n", p, i) }
    :: d_step { MAY(p) && pc[p] == AGAIN && hand[p] == i && !(!hold && !ohold && !LIVE_BESIDE(i) && agreed && stamp) ->
        WRITES(p); refuse(i); pc[p] = IDLE; hand[p] = 0;
        printf(">> apply %d: plan %d is not permitted again\n", p, i) }
    fi
}

/* --- apply: RECONCILE_CLOSE ------------------------------------------------------------------------------------- */

#define DRIFT_OF(p) (pE[p] - L)
#define GUARDRAILS(p, c) (cst[c] == PLANNED && !expired[c] && hold && \
    (pS[p] >= lf || P(OLD_VIEWS_COUNT)) && \
    pE[p] != 0 && !SAME(pE[p], cq[c]) && ABS(cq[c]) <= ABS(pE[p]) && \
    (P(CLOSE_PAST_DRIFT) || P(FORMULA_ALONE) || \
        (DRIFT_OF(p) != 0 && SAME(DRIFT_OF(p), pE[p]) && ABS(cq[c]) <= ABS(DRIFT_OF(p)))) && \
    (!LIVE_BESIDE(c) || P(CLOSE_BESIDE_ORDERS) || P(TWO_CLOSES)) && (!UNFINISHED(OTHER(c)) || P(TWO_CLOSES)))

inline closes(p, c) {
    if
    :: d_step { MAY(p) && pc[p] == IDLE && cst[c] == PLANNED && (st[c] == NEW || st[c] == CLAIMED) ->
        pc[p] = READ; hand[p] = c; pE[p] = E; pS[p] = seq;
        printf(">> apply %d reads the position for close %d: %d\n", p, c, E) }
    :: d_step { MAY(p) && pc[p] == IDLE && cst[c] == PLANNED && (st[c] == NEW || st[c] == CLAIMED) &&
        stales > 0 && oldS < seq ->
        stales--; pc[p] = READ; hand[p] = c; pE[p] = oldE; pS[p] = oldS;
        printf(">> apply %d reads an OLD position for close %d: %d\n", p, c, oldE) }
    :: d_step { MAY(p) && pc[p] == READ && hand[p] == c && GUARDRAILS(p, c) ->
        WRITES(p); assert(hold);
        cst[c] = UNDERWAY; st[c] = SENDING; cS[c] = pS[p]; pE[p] = 0; pS[p] = 0;
        pc[p] = SIGNED; win[c] = 0; ab[p] = 0;
        printf(">> apply %d: close %d of %d passes the guardrails, its intent journaled\n", p, c, cq[c]) }
    :: d_step { MAY(p) && pc[p] == READ && hand[p] == c && !GUARDRAILS(p, c) ->
        WRITES(p); pc[p] = IDLE; hand[p] = 0; pE[p] = 0; pS[p] = 0;
        if :: cst[c] == PLANNED -> refuse(c) :: else fi;
        printf(">> apply %d: close %d is refused\n", p, c) }
    /* it waited to be sent again, and was superseded meanwhile */
    :: d_step { MAY(p) && st[c] == CLAIMED && cst[c] == OVER && pc[p] == IDLE ->
        WRITES(p); refuse(c); printf(">> apply %d: close %d is never sent\n", p, c) }
    fi
}

/* --- apply: sending, answers, booking ----------------------------------------------------------------------------- */

inline sends(p, i) {
    if
    :: d_step { role[p] == LEADS && pc[p] == SIGNED && hand[p] == i && lheld && fence[p] == lno ->
        pc[p] = LOOKED }
    :: d_step { role[p] == LEADS && pc[p] == SIGNED && hand[p] == i && !(lheld && fence[p] == lno) ->
        forget(p); printf(">> apply %d finds its lease gone before sending, and ends\n", p) }
    :: d_step { pc[p] == LOOKED && hand[p] == i ->
        pc[p] = WAITS; net[i] = 1; printf(">> apply %d sends order %d\n", p, i) }
    :: d_step { P(SENDS_BEFORE_INTENT) && MAY(p) && pc[p] == WAITS && hand[p] == i && st[i] == NEW -> st[i] = SENDING }
    :: d_step { MAY(p) && pc[p] == WAITS && hand[p] == i && ans[i] == YES ->
        WRITES(p); take(i); pc[p] = IDLE; hand[p] = 0; ans[i] = NONE;
        printf(">> apply %d: order %d was accepted\n", p, i) }
    :: d_step { MAY(p) && pc[p] == WAITS && hand[p] == i && ans[i] == NO ->
        WRITES(p); refuse(i); pc[p] = IDLE; hand[p] = 0; ans[i] = NONE;
        printf(">> apply %d: order %d was refused\n", p, i) }
    :: d_step { MAY(p) && pc[p] == WAITS && hand[p] == i && ans[i] == NOT_EXECUTED ->
        WRITES(p); st[i] = CLAIMED; ans[i] = NONE; win[i] = 0;
        if
        :: IS_CLOSE(i) -> cst[i] = PLANNED; pc[p] = IDLE; hand[p] = 0
        :: else -> pc[p] = AGAIN
        fi;
        printf(">> apply %d: order %d was not executed, and may be tried again\n", p, i) }
    :: d_step { MAY(p) && pc[p] == WAITS && hand[p] == i && ans[i] != NOT_EXECUTED ->
        WRITES(p);
        if :: P(TIMEOUT_IS_REFUSAL) -> refuse(i) :: else -> st[i] = UNKNOWN fi;
        pc[p] = IDLE; hand[p] = 0; ans[i] = NONE;
        printf(">> apply %d: no answer about order %d: it is UNKNOWN\n", p, i) }
    :: d_step { MAY(p) && acc[i] > 0 && booked[i] < (P(BOOKS_TWICE) -> 2 : 1) &&
        (st[i] == UNKNOWN || st[i] == TAKEN) && !P(FILL_FORGOTTEN) ->
        WRITES(p); book(i); printf(">> apply %d books the trade of order %d; ledger %d\n", p, i, L) }
    fi
}

inline book(i) {
    booked[i]++; assert(booked[i] <= 1); ev = 0; own = 0;
    if :: at[i] > lf -> lf = at[i] :: else fi;
    at[i] = 0;
    if :: !IS_CLOSE(i) -> L = L + cq[i]; agreed = 0 :: else fi
}

/* --- apply: what became of an order without an answer ---------------------------------------------------------- */

inline resolves(p, i) {
    if
    :: d_step { MAY(p) && st[i] == UNKNOWN && acc[i] > 0 && vis[i] && !P(UNKNOWN_NOT_ASKED) ->
        WRITES(p); take(i); ab[p] = 0; printf(">> apply %d asks about order %d: it was accepted\n", p, i) }
    :: d_step { MAY(p) && st[i] == UNKNOWN && !(acc[i] > 0 && vis[i]) && ab[p] == 0 &&
        (win[i] == 1 || (P(WINDOW_NOT_AWAITED) && win[i] == 0)) && !P(UNKNOWN_NOT_ASKED) ->
        ab[p] = 1; printf(">> apply %d asks about order %d: not there\n", p, i) }
    :: d_step { MAY(p) && st[i] == UNKNOWN && !(acc[i] > 0 && vis[i]) && booked[i] == 0 &&
        (win[i] == 2 || P(WINDOW_NOT_AWAITED) || (P(ONE_ABSENCE) && win[i] == 1)) && ab[p] == 1 &&
        E == (IS_CLOSE(i) -> before : L) && /* nothing moved the position */
        !P(UNKNOWN_NOT_ASKED) ->
        WRITES(p); refuse(i); ab[p] = 0; printf(">> apply %d: order %d was not accepted\n", p, i) }
    /* it stays UNKNOWN for too long: a person is told, who can look at the exchange */
    :: d_step { MAY(p) && st[i] == UNKNOWN && win[i] == 2 && acc[i] == 0 && !(hold && alert) && !P(UNKNOWN_NOT_ASKED) ->
        WRITES(p); if :: !hold -> place_hold(0) :: else fi; alert = 1; unk = 1;
        printf(">> apply %d: order %d is UNKNOWN for too long; a person is told\n", p, i) }
    :: d_step { MAY(p) && st[i] == UNKNOWN && win[i] == 2 && hold && alert && acc[i] == 0 ->
        WRITES(p); refuse(i); ab[p] = 0; printf(">> a person resolves order %d\n", i) }
    fi
}

/* --- reconcile ---------------------------------------------------------------------------------------------------- */

inline place_hold(since) {
    hold = 1; alert = 0; agreed = 0; cause = since; vwAfter = 0; l2 = 0; l2E = 0; l2S = 0; ev = 0; own = 0;
    if :: FLIES(0) -> exc[0] = 1 :: else fi;
    if :: FLIES(1) -> exc[1] = 1 :: else fi
}

inline see(e, s) {
    l2 = hold; l2E = (hold -> e : 0); l2S = (hold -> s : 0); vwAfter = hold; lost = 0; ev = hold; own = 0;
    if :: !vw || s >= vwS -> vwE = e; vwS = s :: else fi;
    vw = 1
}

#define UNBOOKED(i, s) ((hold && acc[i] > 0 && at[i] <= (s) && booked[i] == 0) -> (1 << (i)) : 0)
#define EVIDENCE(s) (UNBOOKED(0, s) + UNBOOKED(1, s) + UNBOOKED(2, s) + UNBOOKED(3, s))

/* the smaller of both looks, as `decide/close.py` sizes it */
#define SHRINKS(e) (SAME((e), (e) - L) -> (LEAST(ABS((e) - L), ABS(e))) : (P(FORMULA_ALONE) -> (LEAST(ABS((e) - L), ABS(e))) : 0))
#define CLOSABLE (SAME(vwE, l2E) -> (LEAST(SHRINKS(vwE), SHRINKS(l2E))) : 0)
/* by a view read after it was placed, not older than its cause; not while its UNKNOWN order is one */
#define ANY_FLIES (FLIES(0) || FLIES(1) || FLIES(2) || FLIES(3))
#define RELEASABLE (hold && vwAfter && vwS >= cause)
#define STANDS (!ANY_LIVE || P(CLOSE_BESIDE_ORDERS) || P(TWO_CLOSES))
#define FREE(c) (cst[c] == ABSENT || (P(ATTEMPTS_UNBOUNDED) && cst[c] == OVER && acc[c] == 0 && !net[c] && win[c] == 0))
#define DECIDABLE (hold && VIEW_COUNTS && D != 0 && STANDS && l2 && (l2S >= lf || P(OLD_VIEWS_COUNT)) && \
    ev && (own == 0 || P(CLOSE_BESIDE_ORDERS)))

inline plans_close(c) {
    if
    :: d_step { DECIDABLE && FREE(c) && (c == 2 || cst[2] != ABSENT) && CLOSABLE > 0 &&
        (!ANY_UNFINISHED || P(TWO_CLOSES)) ->
        st[c] = NEW; expired[c] = 0;
        cst[c] = PLANNED; cq[c] = (vwE > 0 -> -CLOSABLE : CLOSABLE); before = vwE;
        printf(">> reconcile plans close %d of %d\n", c, cq[c]) }
    :: d_step { cst[c] == PLANNED && !expired[c] -> expired[c] = 1; printf(">> close %d expires\n", c) }
    :: d_step { cst[c] == PLANNED && VIEW_COUNTS &&
        (expired[c] || D == 0 || !SAME(vwE, D) || ABS(cq[c]) > LEAST(ABS(D), ABS(vwE))) ->
        cst[c] = OVER; if :: st[c] == NEW -> st[c] = REFUSED :: else fi;
        printf(">> reconcile supersedes close %d\n", c) }
    fi
}

inline repairs(i) {
    if
    :: d_step { hold && VIEW_COUNTS && D != 0 && ev && (own & (1 << i)) && booked[i] == 0 ->
        book(i); printf(">> reconcile books the trade of order %d by evidence; ledger %d\n", i, L) }
    fi
}

inline reconciles() {
    if
    :: d_step { vw && !lost && vwS != seq -> vwE = E; vwS = seq; vwAfter = hold;
        printf(">> reconcile sees %d on the stream\n", E) }
    :: d_step { !vw || lost || (hold && (!l2 || l2S != seq || !ev)) ->
        see(E, seq); own = EVIDENCE(seq); blind = 0; printf(">> reconcile looks: %d\n", E) }
    :: d_step { stales > 0 && oldS < seq && (!vw || lost || (hold && (!l2 || l2S != seq || !ev))) ->
        stales--; see(oldE, oldS); own = EVIDENCE(oldS); blind = 0; printf(">> reconcile looks, and sees OLD %d\n", oldE) }
    :: d_step { VIEW_COUNTS && D != 0 && !hold ->
        place_hold(vwS); printf(">> reconcile holds: %d at the exchange, %d in the ledger\n", vwE, L) }
    :: d_step { VIEW_COUNTS && D == 0 && (!ANY_UNFINISHED || P(RELEASE_UNDER_CLOSE)) &&
        (!ANY_LIVE || P(RELEASE_UNDER_UNKNOWN) || P(RELEASE_UNDER_CLOSE)) && (!agreed || RELEASABLE) ->
        agreed = 1;
        if
        :: RELEASABLE ->
            hold = 0; unk = 0; alert = 0; cause = 0; vwAfter = 0; l2 = 0; l2E = 0; l2S = 0; ev = 0; own = 0;
            exc[0] = 0; exc[1] = 0;
            printf(">> reconcile agrees on %d and releases the hold\n", L)
        :: else -> printf(">> reconcile agrees on %d\n", L)
        fi }
    :: d_step { DECIDABLE && !ANY_UNFINISHED && !alert && !P(NO_ALERT) &&
        (CLOSABLE == 0 || (!FREE(2) && !FREE(3))) ->
        alert = 1; printf(">> reconcile asks a person\n") }
    :: d_step { blinds > 0 && stamp -> blinds--; stamp = 0; blind = 1; lost = 1;
        printf(">> reconcile's stream is gone\n") }
    :: d_step { blinds > 0 -> blinds--; stamp = 0; blind = 1; lost = 1; vw = 0; vwE = 0; vwS = 0; vwAfter = 0; l2 = 0;
        l2E = 0; l2S = 0; ev = 0; own = 0;
        printf(">> reconcile crashes and starts anew\n") }
    :: d_step { !stamp && ((vw && !lost && (hold || !VIEW_COUNTS || D == 0)) || P(STAMP_WITHOUT_VIEW)) ->
        stamp = 1; printf(">> reconcile renews its stamp\n") }
    fi
}

/* --- the venue, the wire, time -------------------------------------------------------------------------------- */

inline remember() {
    if :: stales > 0 -> oldE = E; oldS = seq :: else fi
}

inline accepts(i) {
    if
    /* the venue executes it; a reduce-only order is cut to the position */
    :: d_step { net[i] && win[i] == 0 && (!IS_CLOSE(i) || P(CLOSE_NOT_REDUCE_ONLY) || (E != 0 && !SAME(E, cq[i]))) ->
        net[i] = 0; remember();
        if
        :: IS_CLOSE(i) && !P(CLOSE_NOT_REDUCE_ONLY) && ABS(cq[i]) > ABS(E) -> cq[i] = -E
        :: else
        fi;
        acc[i]++;
        assert(acc[i] <= 1);                                /* at most one accepted order an intent */
        assert(st[i] != REFUSED);                           /* nothing is accepted after it was given up */
        if
        :: IS_CLOSE(i) ->
            assert(hold);                                   /* no close without a hold that is open */
            assert((SAME(E, E + cq[i]) -> ABS(E + cq[i]) < ABS(E) : E + cq[i] == 0)); /* never flips or grows */
            /* never past the drift; a foreign trade after the last read is nobody's to foresee */
            assert(lastForeign > cS[i] || (SAME(E, E - G) && ABS(cq[i]) <= ABS(E - G)))
        :: else ->
            assert((!hold && !ohold) || exc[i]);            /* no EXECUTE under a hold, but what was on its way */
            G = G + cq[i]
        fi;
        E = E + cq[i]; seq++; at[i] = seq; ans[i] = YES; vis[i] = 0;
        printf(">> the venue accepts order %d; position %d\n", i, E) }
    :: d_step { net[i] && win[i] == 0 && !(!IS_CLOSE(i) || P(CLOSE_NOT_REDUCE_ONLY) || (E != 0 && !SAME(E, cq[i]))) ->
        net[i] = 0; ans[i] = NO; printf(">> the venue refuses close %d: nothing to reduce\n", i) }
    :: d_step { net[i] && win[i] == 0 && repeats > 0 ->
        repeats--; net[i] = 0; ans[i] = NOT_EXECUTED; printf(">> the venue did not execute order %d, and says so\n", i) }
    :: d_step { net[i] && win[i] > 0 -> net[i] = 0; printf(">> order %d is dead on the wire\n", i) }
    /* time passes: recvWindow ends; then, well after it, lookups show what there is */
    :: d_step { FLIES(i) && win[i] < 2 && !(acc[i] > 0 && win[i] == 1 && vis[i]) ->
        win[i]++; if :: win[i] == 2 && acc[i] > 0 -> vis[i] = 1 :: else fi }
    :: d_step { acc[i] > 0 && !vis[i] && FLIES(i) -> vis[i] = 1 }
    fi
}

inline misfortunes() {
    if
    :: d_step { foreigns > 0 && E < 3 -> foreigns--; remember(); E++; seq++; lastForeign = seq;
        printf(">> somebody buys 1 by hand; position %d\n", E) }
    :: d_step { foreigns > 0 && E > -2 -> foreigns--; remember(); E--; seq++; lastForeign = seq;
        printf(">> somebody sells 1 by hand; position %d\n", E) }
    /* a process pauses longer than its lease; a dead one's lease runs out in any case */
    :: d_step { lheld && lapses > 0 -> lapses--; lheld = 0; printf(">> the lease runs out\n") }
    :: d_step { lheld && !(role[0] != STANDBY && fence[0] == lno) && !(role[1] != STANDBY && fence[1] == lno) ->
        lheld = 0; printf(">> the lease of a dead process runs out\n") }
    :: d_step { powers > 0 -> powers--; forget(0); forget(1); stamp = 0; blind = 1; lost = 1; vw = 0; vwE = 0; vwS = 0;
        vwAfter = 0; l2 = 0; l2E = 0; l2S = 0; ev = 0; own = 0;
        printf(">> the power fails\n") }
    fi
}

inline persons_act() {
    if
    :: d_step { persons > 0 && VIEW_COUNTS && D != 0 && (!ANY_LIVE || P(ADOPT_BESIDE_ORDERS)) ->
        persons--; L = vwE;
        G = vwE + (at[0] > vwS -> cq[0] : 0) + (at[1] > vwS -> cq[1] : 0);
        agreed = 0; ev = 0; own = 0; printf(">> a person adopts %d\n", vwE) }
    :: d_step { persons > 0 && !ohold -> persons--; ohold = 1;
        if :: FLIES(0) -> exc[0] = 1 :: else fi;
        if :: FLIES(1) -> exc[1] = 1 :: else fi;
        printf(">> a person holds\n") }
    :: d_step { ohold && vw && vwS == seq && E == L && !ANY_FLIES ->
        ohold = 0; printf(">> a person releases\n") }
    fi
}

/* --- where no step is left ---------------------------------------------------------------------------------------- */

#define ENDED(i) (st[i] == REFUSED || st[i] == TAKEN || (IS_CLOSE(i) && cst[i] == ABSENT))

inline settled() {
    assert(ENDED(0) && ENDED(1) && ENDED(2) && ENDED(3));            /* every plan has its result, no UNKNOWN is left */
    assert(booked[0] == acc[0] && booked[1] == acc[1] && booked[2] == acc[2] && booked[3] == acc[3]);
    assert(L == G);                                                  /* no fill is missing, none counted twice */
    assert(!net[0] && !net[1] && !net[2] && !net[3] && !ANY_UNFINISHED);
    assert(E == L || (hold && alert));                               /* they agree, or a person was told */
    assert(!hold || alert);                                          /* no hold without a next step */
    assert(hold || (agreed && stamp));                               /* trading goes on */
    printf(">> nothing is left to do: position %d, ledger %d, hold %d\n", E, L, hold)
}

active proctype world() {
    d_step {
        c_code {
            now.planted = from_environment("PLANTED"); now.crashes = from_environment("CRASHES");
            now.powers = from_environment("POWERS"); now.lapses = from_environment("LAPSES");
            now.blinds = from_environment("BLINDS"); now.foreigns = from_environment("FOREIGNS");
            now.stales = from_environment("STALES"); now.repeats = from_environment("REPEATS");
            now.persons = from_environment("PERSONS");
        };
        cq[0] = 2; cq[1] = -1;
        role[0] = LEADS; fence[0] = 1
    };
    do
    :: leases(0) :: leases(1)
    :: executes(0, 0) :: executes(0, 1) :: executes(1, 0) :: executes(1, 1)
    :: closes(0, 2) :: closes(0, 3) :: closes(1, 2) :: closes(1, 3)
    :: sends(0, 0) :: sends(0, 1) :: sends(0, 2) :: sends(0, 3)
    :: sends(1, 0) :: sends(1, 1) :: sends(1, 2) :: sends(1, 3)
    :: resolves(0, 0) :: resolves(0, 1) :: resolves(0, 2) :: resolves(0, 3)
    :: resolves(1, 0) :: resolves(1, 1) :: resolves(1, 2) :: resolves(1, 3)
    :: plans_close(2) :: plans_close(3)
    :: repairs(0) :: repairs(1) :: repairs(2) :: repairs(3)
    :: reconciles()
    :: accepts(0) :: accepts(1) :: accepts(2) :: accepts(3)
    :: misfortunes()
    :: persons_act()
    :: timeout -> d_step { settled() }; break
    od;
progress_settled:
    planted = 0; /* for ever: an end is no cycle */
    goto progress_settled
}
