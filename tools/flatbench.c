/*
 * flatbench: writes the table that the benches copy, nine columns of the common kinds (ten with a
 * note), so many rows, the same for the same arguments.
 */
#include "common/generate.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define SEED 42
#define TEXT_BYTES_MAX 64
#define DAY_SECONDS 86400

static const char usage[] =
    "usage: flatbench [--columns 9|10] [--force] ROWS FILE\n"
    "Writes a SQLite database with one table t of ROWS rows, for measuring.\n"
    "Exit: 0 done, 2 wrong usage, 3 failed.\n";

#define COLUMNS_9                                                                              \
    "id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT, c INTEGER NOT NULL, d INTEGER NOT NULL," \
    " price NUMERIC(10,2) NOT NULL, r REAL NOT NULL, created TEXT NOT NULL, flag INTEGER NOT NULL"

static const char create_9[] = "CREATE TABLE t(" COLUMNS_9 ")";
static const char create_10[] = "CREATE TABLE t(" COLUMNS_9 ", note TEXT)";

/* 16 to 23 characters, one in 67 of them of two bytes. `text` holds TEXT_BYTES_MAX bytes. */
static void make_text(struct random *random, char *text)
{
    static const char alphabet[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-";
    size_t count = 16 + random_below(random, 8);

    for (size_t i = 0; i < count; i++) {
        /* The terminating NUL stands for the letter that is not ASCII. */
        char letter = alphabet[random_below(random, sizeof alphabet)];
        if (letter == '\0') {
            memcpy(text, "é", sizeof "é" - 1);
            text += sizeof "é" - 1;
        } else {
            *text++ = letter;
        }
    }
    *text = '\0';
}

/* Days since 1970-01-01 to a date, by the usual arithmetic on years that begin in March. */
static void make_timestamp(int64_t seconds, char text[static TEXT_BYTES_MAX])
{
    int64_t days = seconds / DAY_SECONDS + 719468;
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    int year = (int)(year_of_era + era * 400 + (month <= 2));
    int second = (int)(seconds % DAY_SECONDS);

    snprintf(text, TEXT_BYTES_MAX, "%04d-%02d-%02d %02d:%02d:%02d", year, month, day, second / 3600,
             second / 60 % 60, second % 60);
}

static void fill_row(struct output *output, sqlite3_stmt *insert, int64_t id, bool with_note)
{
    static const int64_t first_second = 1420070400; /* 2015-01-01 00:00:00 */
    struct random random = random_for(SEED, 1, (uint64_t)id);
    char a[TEXT_BYTES_MAX];
    char b[TEXT_BYTES_MAX];
    char created[TEXT_BYTES_MAX];
    char note[TEXT_BYTES_MAX];

    make_text(&random, a);
    snprintf(b, sizeof b, "%08x", (unsigned)random_below(&random, UINT64_C(1) << 32));
    make_timestamp(first_second + (int64_t)random_below(&random, 1 << 28), created);
    bind_integer(insert, 1, id);
    bind_text(insert, 2, a);
    bind_text(insert, 3, random_percent(&random, 10) ? NULL : b);
    bind_integer(insert, 4, (int64_t)random_below(&random, 1 << 20));
    bind_integer(insert, 5, (int64_t)random_below(&random, UINT64_C(1) << 40));
    bind_cents(insert, 6, (int64_t)random_below(&random, 10000000));
    bind_real(insert, 7, random_unit(&random) * 1e6);
    bind_text(insert, 8, created);
    bind_integer(insert, 9, (int64_t)random_below(&random, 2));
    if (with_note) {
        make_text(&random, note);
        bind_text(insert, 10, note);
    }
    output_step(output, insert);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"columns", required_argument, NULL, 'c'},
        {"force", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct output output;
    bool with_note = false;
    bool force = false;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            with_note = parse_number("--columns", optarg, 9, 10) == 10;
            break;
        case 'f':
            force = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 2) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    int64_t rows = parse_number("ROWS", argv[optind], 0, INT64_C(1000000000));

    output_open(&output, argv[optind + 1], force);
    output_execute(&output, with_note ? create_10 : create_9);
    sqlite3_stmt *insert =
        output_prepare(&output, with_note ? "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                                          : "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (int64_t id = 1; id <= rows; id++)
        fill_row(&output, insert, id, with_note);
    sqlite3_finalize(insert);
    output_finish(&output);
    return 0;
}
