/* The result of every function that can fail. */
#ifndef TRANSHUME_BASE_STATUS_H
#define TRANSHUME_BASE_STATUS_H

/*
 * STATUS_OK      done.
 * STATUS_END     nothing more will come (a cursor, a ring, a directory): not an error.
 * STATUS_AGAIN   nothing yet, ask again: not an error.
 * STATUS_FAILED  the `struct error` that the caller passed says why.
 */
enum status { STATUS_OK = 0, STATUS_END, STATUS_AGAIN, STATUS_FAILED };

#define MUST_USE __attribute__((warn_unused_result))
#define NOINLINE __attribute__((noinline))
#define PRINTF_LIKE(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))

#endif
