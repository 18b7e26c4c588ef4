/*
 * What the generators of sample databases share: seeded random numbers, a SQLite file written at
 * full speed and named only when it is whole, and reading of numbers from the command line.
 *
 * Everything here ends the process on failure: 2 for wrong usage, 3 for a failure, with one line
 * on stderr that says what happened and what to do next.
 */
#ifndef TOOLS_COMMON_GENERATE_H
#define TOOLS_COMMON_GENERATE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_USAGE 2
#define EXIT_FAILED 3

/* Prints `PROGRAM: message` and ends the process with the code given. */
_Noreturn void die(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The value of an option that takes a whole number from `min` to `max`; wrong ones end the
 * process. */
int64_t parse_number(const char *option, const char *text, int64_t min, int64_t max);

/*
 * A stream of random numbers (splitmix64), the same on every machine. A stream started with
 * `random_for` depends on nothing but its arguments: row N of a table can be made again without
 * making the rows before it.
 */
struct random {
    uint64_t state;
};

struct random random_for(uint64_t seed, uint64_t table, uint64_t row);
uint64_t random_next(struct random *random);
/* Even in [0, bound); bound > 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/* True this often in a hundred. */
bool random_percent(struct random *random, unsigned percent);
/* Even in [0, 1). */
double random_unit(struct random *random);

/*
 * A database file in the making. It grows under `PATH.part` and gets its name in output_finish, so
 * that a generator that was interrupted leaves no half file under a good name.
 */
struct output {
    sqlite3 *db;
    const char *path;
    char *part_path;
};

/* Ends the process where `path` exists, unless `force`. */
void output_open(struct output *output, const char *path, bool force);
void output_execute(struct output *output, const char *sql);
sqlite3_stmt *output_prepare(struct output *output, const char *sql);
/* Runs a bound statement that yields no row, and makes it ready for the next. */
void output_step(struct output *output, sqlite3_stmt *statement);
void output_finish(struct output *output);

/* NULL text becomes SQL NULL. The text must live until the statement has run. */
void bind_text(sqlite3_stmt *statement, int column, const char *text);
void bind_integer(sqlite3_stmt *statement, int column, int64_t value);
void bind_real(sqlite3_stmt *statement, int column, double value);
/* An amount in hundredths, under a NUMERIC column: SQLite keeps it as it would keep '1.98'. */
void bind_cents(sqlite3_stmt *statement, int column, int64_t cents);

#endif
