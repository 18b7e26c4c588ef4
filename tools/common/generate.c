/* Random numbers, the output database and messages of the sample generators. */
#include "common/generate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void die(int exit_code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(exit_code);
}

int64_t parse_number(const char *option, const char *text, int64_t min, int64_t max)
{
    char *end = NULL;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max)
        die(EXIT_USAGE, "%s wants a whole number from %lld to %lld, not '%s'", option,
            (long long)min, (long long)max, text);
    return value;
}

uint64_t random_next(struct random *random)
{
    uint64_t mixed = random->state += 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

struct random random_for(uint64_t seed, uint64_t table, uint64_t row)
{
    struct random random = {.state = seed};

    random.state = random_next(&random) ^ (table << 56);
    random.state = random_next(&random) ^ row;
    random.state = random_next(&random);
    return random;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    __extension__ unsigned __int128 product = random_next(random);

    product *= bound;
    return (uint64_t)(product >> 64);
}

bool random_percent(struct random *random, unsigned percent)
{
    return random_below(random, 100) < percent;
}

double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

static _Noreturn void die_of_database(struct output *output, const char *action)
{
    int code = sqlite3_extended_errcode(output->db);
    char message[256];

    snprintf(message, sizeof message, "%s", sqlite3_errmsg(output->db));
    unlink(output->part_path);
    die(EXIT_FAILED, "%s: %s failed: %s (SQLite code %d)", output->path, action, message, code);
}

void output_open(struct output *output, const char *path, bool force)
{
    *output = (struct output){.path = path};
    if (asprintf(&output->part_path, "%s.part", path) < 0)
        die(EXIT_FAILED, "out of memory");
    if (access(path, F_OK) == 0 && !force)
        die(EXIT_USAGE, "%s exists; give another name, or --force to replace it", path);
    if (unlink(output->part_path) != 0 && errno != ENOENT)
        die(EXIT_FAILED, "%s: %s", output->part_path, strerror(errno));

    if (sqlite3_open(output->part_path, &output->db) != SQLITE_OK)
        die_of_database(output, "opening");
    /* A file that is thrown away when anything fails needs no journal. */
    output_execute(output, "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF;"
                           "PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
                           "PRAGMA cache_size = -65536; PRAGMA foreign_keys = OFF; BEGIN");
}

void output_execute(struct output *output, const char *sql)
{
    if (sqlite3_exec(output->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die_of_database(output, sql);
}

sqlite3_stmt *output_prepare(struct output *output, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(output->db, sql, -1, &statement, NULL) != SQLITE_OK)
        die_of_database(output, sql);
    return statement;
}

void output_step(struct output *output, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        die_of_database(output, sqlite3_sql(statement));
    sqlite3_reset(statement);
}

void output_finish(struct output *output)
{
    output_execute(output, "COMMIT");
    if (sqlite3_close(output->db) != SQLITE_OK)
        die_of_database(output, "closing");
    /* What an older database of that name left beside it would be taken for the new one's. */
    static const char *const leftovers[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
        char *leftover = NULL;
        if (asprintf(&leftover, "%s%s", output->path, leftovers[i]) < 0)
            die(EXIT_FAILED, "out of memory");
        unlink(leftover);
        free(leftover);
    }
    if (rename(output->part_path, output->path) != 0)
        die(EXIT_FAILED, "renaming %s to %s: %s", output->part_path, output->path, strerror(errno));
    free(output->part_path);
}

/* A bind can fail only for want of memory or for a wrong column number: both end the run. */
static void require_bound(int result)
{
    if (result != SQLITE_OK)
        die(EXIT_FAILED, "binding a value failed: %s", sqlite3_errstr(result));
}

void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    require_bound(sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC));
}

void bind_integer(sqlite3_stmt *statement, int column, int64_t value)
{
    require_bound(sqlite3_bind_int64(statement, column, value));
}

void bind_real(sqlite3_stmt *statement, int column, double value)
{
    require_bound(sqlite3_bind_double(statement, column, value));
}

void bind_cents(sqlite3_stmt *statement, int column, int64_t cents)
{
    bind_real(statement, column, (double)cents / 100);
}
