/* The result of every function that can fail. */
#ifndef TRANSHUME_BASE_STATUS_H
#define TRANSHUME_BASE_STATUS_H

/*
 * STATUS_OK      done.
 * STATUS_END     not an error: there is nothing, or nothing more (a cursor, a ring, a directory).
 * STATUS_AGAIN   not an error: not now, or not so; what is to be done then (ask again, go another
 *                way) the function's own comment says, as it does for END.
 * STATUS_FAILED  the `struct error` that the caller passed says why; where it takes none, the
 *                function's own comment.
 */
enum status { STATUS_OK = 0, STATUS_END, STATUS_AGAIN, STATUS_FAILED };

#define MUST_USE __attribute__((warn_unused_result))
#define NOINLINE __attribute__((noinline))
#define PRINTF_LIKE(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))

#endif
