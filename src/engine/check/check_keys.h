/* Is a query's declared key one? */
#ifndef TRANSHUME_ENGINE_CHECK_CHECK_KEYS_H
#define TRANSHUME_ENGINE_CHECK_CHECK_KEYS_H

#include "engine/session/session.h"

/* The findings about a query's declared key. */
struct key_check {
    uint64_t rows; /* compared */
    bool whole;    /* all of them */
    bool repeats;
    struct buffer shown; /* one that repeats; the caller frees it */
};
/* check_keys.c: reads the keys of a stream with `request.query` in their order, until `until_ms`.
 */
enum status check_query_key(struct run_session *session, const struct plan_stream *stream,
                            int64_t until_ms, struct key_check *result,
                            struct error *error) MUST_USE;

#endif
