/* The table of options that a plan may give, their ranges and defaults. */
#include "engine/session/options.h"

#include "base/text.h"
#include "engine/ledger/json_text.h"
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum option_kind {
    KIND_COUNT,
    KIND_BYTES,
    KIND_MILLISECONDS,
    KIND_SIGNED,
    KIND_FLAG,
    KIND_NEGATED, /* a flag that the plan turns off and the member turns on */
    KIND_TEXT,
    KIND_CHOICE /* between words; the member is 0 while unset, then the word's place from 1 */
};

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;
    size_t size;
    uint64_t minimum;
    uint64_t maximum;
    uint64_t preset; /* what stands when nobody says anything */
};

#define FIELD(member) \
    offsetof(struct run_options, member), sizeof(((struct run_options *)0)->member)

static const struct option_row rows[] = {
    {"jobs", KIND_COUNT, FIELD(limits.jobs), 1, 256, 0},
    {"memory", KIND_BYTES, FIELD(limits.memory_bytes), 1 << 20, UINT64_C(1) << 40, 32 << 20},
    {"chunk_rows", KIND_COUNT, FIELD(limits.chunk_rows), 1, UINT32_MAX, 0},
    {"batch_rows", KIND_COUNT, FIELD(limits.batch_rows), 1, 1 << 20, 4096},
    {"batch_bytes", KIND_BYTES, FIELD(limits.batch_bytes), 1024, 1 << 30, 256 << 10},
    {"max_rejects", KIND_SIGNED, FIELD(rejects.max), 0, INT64_MAX, 0},
    {"fail_fast", KIND_FLAG, FIELD(rejects.fail_fast), 0, 1, 0},
    {"rows_per_second", KIND_COUNT, FIELD(limits.rows_per_second_max), 1, UINT32_MAX, 0},
    {"bytes_per_second", KIND_BYTES, FIELD(limits.bytes_per_second_max), 1, UINT64_C(1) << 40, 0},
    {"read_units_per_second", KIND_COUNT, FIELD(limits.read_units_per_second_max), 1, UINT32_MAX,
     0},
    {"write_units_per_second", KIND_COUNT, FIELD(limits.write_units_per_second_max), 1, UINT32_MAX,
     0},
    {"pause_running", KIND_COUNT, FIELD(limits.pause_running), 1, UINT32_MAX, 0},
    {"pause_statement", KIND_MILLISECONDS, FIELD(limits.pause_statement_ms), 1, 86400000, 0},
    {"pause_lag", KIND_MILLISECONDS, FIELD(limits.pause_lag_ms), 1, 86400000, 0},
    {"timeout", KIND_MILLISECONDS, FIELD(limits.timeout_ms), 1, 86400000, 30000},
    {"stall", KIND_MILLISECONDS, FIELD(limits.stall_ms), 1, 86400000, 60000},
    {"time_zone", KIND_TEXT, FIELD(sides.time_zone), 0, 0, 0},
    {"ledger", KIND_TEXT, FIELD(sides.ledger_uri), 0, 0, 0},
    {"ledger_schema", KIND_TEXT, FIELD(sides.ledger_schema), 0, 0, 0},
    {"express", KIND_NEGATED, FIELD(making.no_express), 0, 1, 0},
    {"code", KIND_NEGATED, FIELD(making.no_code), 0, 1, 0}, /* the command line's alone */
    {"hashes", KIND_NEGATED, FIELD(making.no_hashes), 0, 1, 0},
    {"rollback_keys", KIND_FLAG, FIELD(making.rollback_keys), 0, 1, 0},
    {"indexes", KIND_CHOICE, FIELD(making.indexes), 1, 2, 1},
    {"triggers", KIND_CHOICE, FIELD(making.triggers), 1, 2, 1},
    {"cascades", KIND_CHOICE, FIELD(follow.cascades), 1, 2, 0}, /* as the run began; apply */
    {"broken_references", KIND_CHOICE, FIELD(making.broken_references), 1, 2, 1},
    {"nested", KIND_CHOICE, FIELD(making.nested), 1, 2, 1},
    {"grants", KIND_FLAG, FIELD(making.carries_rights), 0, 1, 0},
    {"definer", KIND_CHOICE, FIELD(making.definer), 1, 3, 1},
    {"before_images", KIND_NEGATED, FIELD(making.no_before_images), 0, 1, 0},
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static const char *word_of(const struct option_row *row, uint64_t number)
{
    bool nested = strcmp(row->name, "nested") == 0;
    bool cascades = strcmp(row->name, "cascades") == 0;
    if (strcmp(row->name, "definer") == 0) {
        return number == DEFINERS_KEEP ? "keep" : number == DEFINERS_SELF ? "self" : "refuse";
    }
    return cascades                             ? (number == CASCADES_TARGET ? "target" : "apply")
           : number == 1                        ? (nested ? "json" : "keep")
           : nested                             ? "tables"
           : strcmp(row->name, "indexes") == 0  ? "rebuild"
           : strcmp(row->name, "triggers") == 0 ? "disable"
                                                : "reject";
}

void run_options_default(struct run_options *options)
{
    *options = (struct run_options){
        .rejects.max = -1, .rejects.planned = -1, .making.existing = -1, .progress = PROGRESS_AUTO};
}

static uint64_t get_number(const struct run_options *options, const struct option_row *row)
{
    uint64_t number = 0;
    memcpy(&number, (const char *)options + row->offset, row->size);
    return number;
}

static void set_number(struct run_options *options, const struct option_row *row, uint64_t number)
{
    memcpy((char *)options + row->offset, &number, row->size);
}

static const char **text_of(const struct run_options *options, const struct option_row *row)
{
    return (const char **)((char *)(uintptr_t)options + row->offset);
}

static bool is_set(const struct run_options *options, const struct option_row *row)
{
    if (row->kind == KIND_SIGNED) {
        return options->rejects.max >= 0;
    }
    if (row->kind == KIND_TEXT) {
        return *text_of(options, row) != NULL;
    }
    return get_number(options, row) != 0;
}

static enum status parse_flag(const char *text, uint64_t *flag)
{
    *flag = strcmp(text, "true") == 0;
    return *flag || strcmp(text, "false") == 0 ? STATUS_OK : STATUS_FAILED;
}

static enum status parse_choice(const struct option_row *row, const char *text, uint64_t *number)
{
    for (*number = row->minimum; *number <= row->maximum; ++*number) {
        if (strcmp(text, word_of(row, *number)) == 0) {
            return STATUS_OK;
        }
    }
    return STATUS_FAILED;
}

static enum status parse_row(const struct option_row *row, const char *text, uint64_t *number)
{
    switch (row->kind) {
    case KIND_CHOICE:
        return parse_choice(row, text, number);
    case KIND_BYTES:
        return text_to_bytes(text, number);
    case KIND_MILLISECONDS:
        return text_to_milliseconds(text, number);
    case KIND_FLAG:
    case KIND_NEGATED:
        return parse_flag(text, number);
    default:
        return text_to_uint64(text, strlen(text), number);
    }
}

static enum status bad_value(const struct option_row *row, const char *where, const char *found,
                             struct error *error)
{
    static const char *const kinds[] = {
        "a whole number", "a size such as 64MiB", "a time such as 30s or 500ms",
        "a whole number", "true or false",        "true or false",
        "a text",         "one of its words"};
    error_set(error, ERROR_BAD_VALUE, where, "option %s is %s, expected %s", row->name, found,
              kinds[row->kind]);
    if (row->kind < KIND_FLAG) {
        error_hint(error, "it may be from %" PRIu64 " to %" PRIu64 "%s", row->minimum, row->maximum,
                   row->kind == KIND_MILLISECONDS ? " ms" : "");
    }
    if (row->kind == KIND_CHOICE) {
        error_hint(error, "it may be %s%s%s or %s", word_of(row, 1), row->maximum > 2 ? ", " : "",
                   row->maximum > 2 ? word_of(row, 2) : "", word_of(row, row->maximum));
    }
    return STATUS_FAILED;
}

static enum status take_from_plan(struct run_options *options, const struct option_row *row,
                                  const struct plan_document *document, struct error *error)
{
    const char *text = plan_document_option(document, row->name);
    if (text == NULL) {
        return STATUS_OK;
    }
    if (row->kind == KIND_TEXT) {
        *text_of(options, row) = text;
        return STATUS_OK;
    }
    uint64_t number;
    if (parse_row(row, text, &number) != STATUS_OK || number < row->minimum ||
        number > row->maximum) {
        char place[256];
        return bad_value(row, plan_document_option_place(document, row->name, place, sizeof place),
                         text, error);
    }
    set_number(options, row, row->kind == KIND_NEGATED ? !number : number);
    return STATUS_OK;
}

static enum status check_range(const struct run_options *options, const struct option_row *row,
                               struct error *error)
{
    uint64_t number = get_number(options, row);
    if (row->kind == KIND_TEXT || !is_set(options, row) ||
        (number >= row->minimum && number <= row->maximum)) {
        return STATUS_OK;
    }
    char found[24];
    found[text_from_uint64(number, found)] = '\0';
    return bad_value(row, "command line", found, error);
}

int64_t options_reject_bound(const struct run_options *options)
{
    return options->rejects.fail_fast ? 0 : options->rejects.max;
}

bool options_allow_rejects(const struct run_options *options, uint64_t rejected)
{
    int64_t bound = options_reject_bound(options);
    return bound < 0 || rejected <= (uint64_t)bound;
}

static bool is_bound(const struct option_row *row)
{
    return row->offset == offsetof(struct run_options, rejects.max) ||
           row->offset == offsetof(struct run_options, rejects.fail_fast);
}

/* fail_fast is another word for the bound 0: where a flag says one of the two, the plan's go. */
static enum status resolve_bound(struct run_options *options, const struct plan_document *document,
                                 struct error *error)
{
    struct run_options planned;
    run_options_default(&planned);
    for (size_t i = 0; i < ROW_COUNT && document != NULL; i++) {
        if (is_bound(&rows[i]) &&
            take_from_plan(&planned, &rows[i], document, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    options->rejects.is_said = options_reject_bound(options) >= 0;
    options->rejects.planned = options_reject_bound(&planned);
    if (!options->rejects.is_said) {
        options->rejects.max = planned.rejects.max;
        options->rejects.fail_fast = planned.rejects.fail_fast;
    }
    return STATUS_OK;
}

enum status options_resolve(struct run_options *options, const struct plan_document *document,
                            struct error *error)
{
    if (resolve_bound(options, document, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct option_row *row = &rows[i];
        if (document != NULL && !is_bound(row) && !is_set(options, row) &&
            take_from_plan(options, row, document, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!is_set(options, row) && row->preset != 0) {
            set_number(options, row, row->preset);
        }
        if (check_range(options, row, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (options->limits.jobs == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        options->limits.jobs = cores < 2 ? 2 : cores > 8 ? 8 : (uint32_t)cores;
    }
    return STATUS_OK;
}

static json_t *value_of(const struct run_options *options, const struct option_row *row)
{
    switch (row->kind) {
    case KIND_TEXT:
        return json_text(*text_of(options, row));
    case KIND_SIGNED:
        return options->rejects.max < 0 ? json_null() : json_integer(options->rejects.max);
    case KIND_CHOICE:
        return json_text(word_of(row, get_number(options, row)));
    case KIND_FLAG:
        return json_boolean(get_number(options, row) != 0);
    case KIND_NEGATED:
        return json_boolean(get_number(options, row) == 0);
    default:
        /* where nothing is preset, 0 stands for a choice of the program's own or for no cap */
        return is_set(options, row) ? json_integer((json_int_t)get_number(options, row))
                                    : json_null();
    }
}

json_t *options_describe(const struct run_options *options)
{
    json_t *settings = json_object();
    for (size_t i = 0; i < ROW_COUNT; i++) {
        json_object_set_new(settings, rows[i].name, value_of(options, &rows[i]));
    }
    json_object_set_new(settings, "include",
                        json_texts(options->selection.include, options->selection.include_count));
    json_object_set_new(settings, "exclude",
                        json_texts(options->selection.exclude, options->selection.exclude_count));
    if (options->selection.names != NULL) {
        json_object_set_new(settings, "names", json_text(options->selection.names));
    }
    if (options->selection.since != NULL) {
        json_object_set_new(settings, "since", json_text(options->selection.since));
    }
    if (options->selection.schemas.count > 0) {
        json_object_set_new(
            settings, "schemas",
            json_texts(options->selection.schemas.names, options->selection.schemas.count));
    }
    return settings;
}

uint64_t options_ring_bytes(const struct run_options *options)
{
    return options->limits.memory_bytes / 8;
}

uint64_t options_cache_bytes(const struct run_options *options)
{
    return options->limits.memory_bytes / 4;
}

bool options_give_way(const struct run_options *options)
{
    return options->limits.pause_lag_ms > 0 || options->limits.pause_running > 0 ||
           options->limits.pause_statement_ms > 0;
}
