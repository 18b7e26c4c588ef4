/*
 * Collations that a server does not have, and the nearest that it has. A name tells what it is:
 *
 *   utf8mb4_de_pb_0900_as_cs     utf8mb4_uca1400_german2_nopad_as_cs     latin1_swedish_ci
 *   charset language weights …   charset weights  language padding …
 */
#include "connectors/mysql/translate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART_BYTES = 64 };

/* The version of the Unicode Collation Algorithm that gives the weights, oldest first. */
enum weights { WEIGHTS_GENERAL, WEIGHTS_400, WEIGHTS_520, WEIGHTS_900, WEIGHTS_1400 };

struct collation {
    char charset[PART_BYTES];
    char language[PART_BYTES]; /* in MySQL's words; empty: none in particular */
    enum weights weights;
    bool bytes;   /* _bin */
    bool accents; /* tells letters apart by their accents */
    bool cases;
    bool pads; /* blanks at the end do not count */
};

/* MariaDB's word for a language, and MySQL's since 8.0. */
static const char *const languages[][2] = {
    {"czech", "cs"},     {"danish", "da"},        {"german2", "de_pb"}, {"esperanto", "eo"},
    {"spanish", "es"},   {"spanish2", "es_trad"}, {"estonian", "et"},   {"croatian", "hr"},
    {"hungarian", "hu"}, {"icelandic", "is"},     {"roman", "la"},      {"lithuanian", "lt"},
    {"latvian", "lv"},   {"polish", "pl"},        {"romanian", "ro"},   {"slovak", "sk"},
    {"slovenian", "sl"}, {"swedish", "sv"},       {"turkish", "tr"},    {"vietnamese", "vi"},
};

static void add_language(struct collation *made, const char *word, size_t length)
{
    size_t used = strlen(made->language);
    snprintf(made->language + used, sizeof made->language - used, "%s%.*s", used > 0 ? "_" : "",
             (int)length, word);
}

static void name_language(struct collation *made)
{
    for (size_t i = 0; i < sizeof languages / sizeof languages[0]; i++) {
        if (strcmp(made->language, languages[i][0]) == 0) {
            snprintf(made->language, sizeof made->language, "%s", languages[i][1]);
        }
    }
}

static bool is_word(const char *word, size_t length, const char *known)
{
    return strlen(known) == length && memcmp(word, known, length) == 0;
}

/* One word between underscores. */
static void take_word(struct collation *made, const char *word, size_t length)
{
    static const struct {
        const char *word;
        enum weights weights;
    } known[] = {{"general", WEIGHTS_GENERAL},
                 {"unicode", WEIGHTS_400},
                 {"520", WEIGHTS_520},
                 {"0900", WEIGHTS_900},
                 {"uca1400", WEIGHTS_1400}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (is_word(word, length, known[i].word)) {
            made->weights = known[i].weights;
            made->pads = made->pads && made->weights != WEIGHTS_900;
            return;
        }
    }
    if (is_word(word, length, "bin")) {
        made->bytes = made->accents = made->cases = true;
    } else if (is_word(word, length, "nopad")) {
        made->pads = false;
    } else if (is_word(word, length, "as")) {
        made->accents = true;
    } else if (is_word(word, length, "cs")) {
        made->cases = true;
    } else if (!is_word(word, length, "ai") && !is_word(word, length, "ci") &&
               !is_word(word, length, "ks")) {
        add_language(made, word, length);
    }
}

/* utf8 is an older name of utf8mb3. */
static struct collation collation_parse(const char *name)
{
    size_t length = strcspn(name, "_");
    struct collation made = {.pads = true};
    bool old = is_word(name, length, "utf8");
    snprintf(made.charset, sizeof made.charset, "%.*s", (int)(old ? 7 : length),
             old ? "utf8mb3" : name);
    for (const char *at = name + length; *at == '_'; at += length) {
        at++;
        length = strcspn(at, "_");
        take_word(&made, at, length);
    }
    name_language(&made);
    return made;
}

/* Before those, what lies beyond U+FFFF is all alike. */
static bool knows_all_letters(const struct collation *collation)
{
    return collation->bytes || collation->weights >= WEIGHTS_520;
}

/* How far `other` is from `wanted`: most for what takes more texts for equal, since a unique key
 * would refuse them; less for what tells more apart; least for another edition. */
static int distance(const struct collation *wanted, const struct collation *other)
{
    int sum = 0;
    sum += wanted->bytes && !other->bytes ? 1000 : 0;
    sum += wanted->cases && !other->cases ? 1000 : 0;
    sum += wanted->accents && !other->accents ? 1000 : 0;
    sum += !wanted->pads && other->pads ? 500 : 0;
    sum += knows_all_letters(wanted) && !knows_all_letters(other) ? 100 : 0;
    sum += !wanted->bytes && other->bytes ? 50 : 0;
    sum += !wanted->cases && other->cases ? 100 : 0;
    sum += !wanted->accents && other->accents ? 100 : 0;
    sum += wanted->pads && !other->pads ? 1 : 0;
    if (strcmp(wanted->language, other->language) != 0) {
        sum += other->language[0] == '\0' ? 10 : 40;
    }
    if (!wanted->bytes && !other->bytes) {
        int newer = (int)other->weights - (int)wanted->weights;
        sum += newer >= 0 ? newer : -2 * newer;
    }
    return sum;
}

/* ---------------------------------------------------------------- what the server has */

bool mysql_is_collation(const char *name)
{
    return name != NULL && name[0] != '\0' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static int compare_with_name(const void *name, const void *one)
{
    return strcmp(name, *(const char *const *)one);
}

bool mysql_knows_collation(const struct mysql_database *self, const char *name)
{
    struct column_list known = self->collations;
    return known.count == 0 ||
           bsearch(name, known.names, known.count, sizeof *known.names, compare_with_name) != NULL;
}

static bool has_charset(const struct mysql_database *self, const char *charset)
{
    size_t length = strlen(charset);
    for (uint32_t i = 0; i < self->collations.count; i++) {
        const char *name = self->collations.names[i];
        if (strncmp(name, charset, length) == 0 && (name[length] == '_' || name[length] == '\0')) {
            return true;
        }
    }
    return self->collations.count == 0;
}

/* The other name of the same one, or one that holds all of its letters. */
const char *mysql_nearest_charset(const struct mysql_database *self, const char *charset)
{
    if (has_charset(self, charset)) {
        return charset;
    }
    if (strncmp(charset, "utf8", 4) == 0) {
        const char *other = strcmp(charset, "utf8") == 0 ? "utf8mb3" : "utf8";
        return has_charset(self, other) ? other : "utf8mb4";
    }
    return "utf8mb4";
}

const char *mysql_nearest_collation(const struct mysql_database *self, const char *name)
{
    const char *nearest = NULL;
    int least = 0;
    if (mysql_knows_collation(self, name)) {
        return name;
    }
    struct collation wanted = collation_parse(name);
    struct collation charset = collation_parse(mysql_nearest_charset(self, wanted.charset));
    snprintf(wanted.charset, sizeof wanted.charset, "%s", charset.charset);
    for (uint32_t i = 0; i < self->collations.count; i++) {
        struct collation other = collation_parse(self->collations.names[i]);
        int far = distance(&wanted, &other);
        if (strcmp(other.charset, wanted.charset) == 0 && (nearest == NULL || far < least)) {
            nearest = self->collations.names[i];
            least = far;
        }
    }
    return nearest != NULL ? nearest : name;
}

/* The words for texts that `nearest` takes for equal and the other does not, and the reverse. */
const char *mysql_collation_differs(const char *name, const char *nearest)
{
    const struct collation wanted = collation_parse(name);
    const struct collation other = collation_parse(nearest);
    if ((wanted.cases && !other.cases) || (wanted.accents && !other.accents)) {
        return "which takes more texts for equal: a unique key may reject some";
    }
    if (!wanted.pads && other.pads) {
        return "to which blanks at the end do not count: a unique key may reject some texts";
    }
    if (!wanted.bytes && other.bytes) {
        return "which compares by bytes";
    }
    if ((!wanted.cases && other.cases) || (!wanted.accents && other.accents)) {
        return "which tells more texts apart";
    }
    return wanted.pads && !other.pads ? "to which blanks at the end count" : NULL;
}

/* MariaDB has those of UCA 14 once for all character sets. */
enum status mysql_read_collations(struct mysql_database *self, MYSQL *connection,
                                  struct error *error)
{
    MYSQL_RES *result = NULL;
    if (self->collations.count > 0) {
        return STATUS_OK;
    }
    if (mysql_run_buffer(
            self, connection,
            mysql_sql("%s", self->mariadb && self->version >= 101001
                                ? "SELECT full_collation_name FROM information_schema."
                                  "collation_character_set_applicability"
                                : "SELECT collation_name FROM information_schema.collations"),
            SQL_LONG, ERROR_TARGET_INVALID, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t count = result != NULL ? (uint32_t)mysql_num_rows(result) : 0;
    const char **names = arena_allocate_zeroed(self->arena, (size_t)count + 1, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = mysql_fetch_row(result)[0];
        names[i] = arena_copy_string(self->arena, name != NULL ? name : "");
    }
    mysql_free_result(result);
    qsort(names, count, sizeof *names, text_compare_strings);
    self->collations = (struct column_list){names, count};
    return STATUS_OK;
}
