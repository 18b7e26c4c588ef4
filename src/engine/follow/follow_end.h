/* How following ends. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOW_END_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOW_END_H

/*
 * An attempt at following, or at a step that is taken in its place, ends in one of these ways. Each
 * caller handles each of them; a status beside it would say the same twice.
 *
 *   following ──┬─> HEAD        --catch-up, and each drain of a cut-over
 *               ├─> STOPPED     SIGINT, SIGTERM
 *               ├─> OVERTAKEN   ──> the session is opened anew ──> following
 *               └─> FAILED      the error says why; what is applied is kept
 *   a step ─────┬─> STEPPED     ──> the next step, or following
 *               └─> OVER        the run is completed
 */
enum follow_end {
    FOLLOW_NONE,      /* this attempt has not come to following, or has not ended */
    FOLLOW_FAILED,    /* the error says why */
    FOLLOW_HEAD,      /* everything is applied that the source had when its head was asked for */
    FOLLOW_STOPPED,   /* a signal asked for it; `follow` continues behind what is applied */
    FOLLOW_OVERTAKEN, /* the source's schema is another one than the session read: nothing behind
                         the change is applied; a session that is opened anew follows on */
    FOLLOW_STEPPED,   /* the step of a cut-over or resync that was asked for is done */
    FOLLOW_OVER       /* following has ended for good: cut over, or abandoned */
};

#endif
