/* A difference from end to end: both sides read, renamings done, steps found, ordered, worded. */
#include "evolve/diff/diff.h"
#include "connectors/common/registry.h"
#include "evolve/diff/side.h"
#include <string.h>

enum { QUESTIONS_MAX = 20 };

struct diff {
    const struct diff_options *options;
    struct arena *arena;
    struct diff_side from;
    struct diff_side to;
    struct diff_server extra; /* that scratch places are on, if no side's is */
    struct diff_server *scratch;
    struct definition_session *renaming; /* a copy of `from` in which renamings are done */
    struct diff_compare compare;
    struct diff_result *result;
    struct diff_change *changes;
    struct definition_statement *statements;
    const char **questions;
    uint32_t change_capacity;
    uint32_t statement_capacity;
    uint32_t question_capacity;
};

/* ---------------------------------------------------------------- both sides */

static enum status open_servers(struct diff *diff, struct error *error)
{
    struct diff_side *sides[] = {&diff->from, &diff->to};
    for (int i = 0; i < 2; i++) {
        if (!diff_side_is_file(sides[i]->text)) {
            if (diff_open_database(sides[i]->text, diff->options, diff->arena, &sides[i]->server,
                                   error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            diff->scratch = &sides[i]->server;
        }
    }
    if (diff->options->server != NULL) {
        diff->scratch = &diff->extra;
        return diff_open_database(diff->options->server, diff->options, diff->arena, &diff->extra,
                                  error);
    }
    if (diff->scratch == NULL) {
        diff->scratch = &diff->extra;
        diff->extra.connector = registry_find("sqlite");
        diff->extra.functions = diff->extra.connector->definitions;
    }
    return STATUS_OK;
}

static enum status open_sides(struct diff *diff, struct error *error)
{
    if (open_servers(diff, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (diff_side_open(&diff->from, diff->scratch, diff->arena, error) != STATUS_OK ||
        diff_side_open(&diff->to, diff->scratch, diff->arena, error) != STATUS_OK) {
        return diff->scratch->database != NULL
                   ? STATUS_FAILED
                   : error_hint(error, "no side is a database, so that this was read as SQLite's: "
                                       "--server URI names a server of another kind");
    }
    if (diff->from.functions != diff->to.functions) {
        error_set(error, ERROR_USAGE, diff->options->to,
                  "the two sides are of different kinds of databases");
        return error_hint(error, "transhume migrate carries a schema from one to another");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- comparing */

static enum status sides_compare(struct diff *diff, struct error *error)
{
    diff->compare = (struct diff_compare){
        .arena = diff->arena,
        .session = diff->to.session,
        .functions = diff->to.functions,
        .options = diff->options,
        .from = diff->from.definitions,
        .to = diff->to.definitions,
    };
    if (diff_compare_lists(&diff->compare, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    diff_order(&diff->compare);
    return STATUS_OK;
}

static const char *name_of(struct diff *diff, const struct definition *item)
{
    return arena_format(diff->arena, "%s%s%s%s%s", item->schema != NULL ? item->schema : "",
                        item->schema != NULL ? "." : "", item->table != NULL ? item->table : "",
                        item->table != NULL ? "." : "", item->name);
}

/* "type: integer -> bigint" */
static const char *detail_of(struct diff *diff, const struct definition *before,
                             const struct definition *after)
{
    struct buffer text = {0};
    const struct definition *sides[] = {before, after};
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < sides[side]->fact_count; i++) {
            const char *name = sides[side]->facts[i].name;
            const char *old_value = definition_fact(before, name);
            const char *new_value = definition_fact(after, name);
            if (name[0] == '_' || (side == 1 && old_value != NULL) ||
                (old_value != NULL && new_value != NULL && strcmp(old_value, new_value) == 0)) {
                continue;
            }
            buffer_format(&text, "%s%s: %s -> %s", text.length > 0 ? "\n" : "", name,
                          old_value != NULL ? old_value : "none",
                          new_value != NULL ? new_value : "none");
        }
    }
    const char *detail =
        text.length > 0 ? arena_copy_string(diff->arena, buffer_string(&text)) : NULL;
    buffer_free(&text);
    return detail;
}

static struct diff_change *add_change(struct diff *diff, enum diff_action action,
                                      const struct definition *item)
{
    struct diff_result *result = diff->result;
    diff->changes = arena_make_room(diff->arena, diff->changes, result->change_count,
                                    &diff->change_capacity, sizeof *diff->changes);
    result->changes = diff->changes;
    struct diff_change *change = &diff->changes[result->change_count++];
    *change =
        (struct diff_change){.action = action, .kind = item->kind, .name = name_of(diff, item)};
    return change;
}

/* A setting of the session holds for all that follows. */
static bool is_said(const struct diff_result *result, const struct definition_statement *statement)
{
    for (uint32_t i = 0; i < result->statement_count; i++) {
        if (strncmp(statement->text, "SET ", 4) == 0 &&
            strcmp(statement->text, result->statements[i].text) == 0) {
            return true;
        }
    }
    return false;
}

static void add_statements(struct diff *diff, const struct definition_statement *statements,
                           uint32_t count)
{
    struct diff_result *result = diff->result;
    for (uint32_t i = 0; i < count; i++) {
        if (is_said(result, &statements[i])) {
            continue;
        }
        diff->statements = arena_make_room(diff->arena, diff->statements, result->statement_count,
                                           &diff->statement_capacity, sizeof *diff->statements);
        diff->statements[result->statement_count++] = statements[i];
    }
    result->statements = diff->statements;
}

static void tell_step(struct diff *diff, const struct diff_step *step)
{
    const struct diff_compare *compare = &diff->compare;
    const struct definition *before =
        step->before != DEFINITION_NONE ? &compare->from.items[step->before] : NULL;
    const struct definition *after =
        step->after != DEFINITION_NONE ? &compare->to.items[step->after] : NULL;
    if (step->kind == DEFINITION_ALTER) {
        const char *detail = detail_of(diff, before, after);
        if (detail != NULL) {
            add_change(diff, DIFF_ALTER, after)->detail = detail;
        }
    } else if (step->kind == DEFINITION_CREATE) {
        if (!step->rebuilds) {
            add_change(diff, DIFF_CREATE, after);
        }
    } else {
        struct diff_change *change =
            add_change(diff, step->rebuilds ? DIFF_REBUILD : DIFF_DROP, before);
        change->loses = before->holds_records;
        if (step->rebuilds) {
            change->detail =
                detail_of(diff, before, &compare->to.items[compare->to_of_from[step->before]]);
        }
    }
}

static enum status word(struct diff *diff, struct error *error)
{
    struct diff_compare *compare = &diff->compare;
    for (uint32_t i = 0; i < compare->order_count; i++) {
        const struct diff_step *step = &compare->steps[compare->order[i]];
        const struct definition_statement *statements = NULL;
        uint32_t count = 0;
        struct definition_change change = diff_change_of(compare, step);
        enum status status = compare->functions->emit(compare->session, &change, diff->arena,
                                                      &statements, &count, error);
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
        tell_step(diff, step);
        for (uint32_t k = 0; k < compare->step_count && step->kind == DEFINITION_ALTER; k++) {
            if (compare->steps[k].within == compare->order[i]) {
                tell_step(diff, &compare->steps[k]);
            }
        }
        add_statements(diff, statements, count);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what may not be dropped */

/* Without leave to drop, what is not wanted any more is wanted as it is; so are those that it
 * stands on. */
static void keep_dropped(struct diff *diff, bool *any)
{
    const struct diff_compare *compare = &diff->compare;
    const struct definitions *from = &diff->from.definitions;
    const struct definitions *to = &diff->to.definitions;
    uint32_t *number = arena_allocate_zeroed(diff->arena, from->count + 1u, sizeof *number);
    struct definition *items =
        arena_allocate_zeroed(diff->arena, from->count + to->count + 1u, sizeof *items);
    uint32_t count = to->count;
    if (to->count > 0) {
        memcpy(items, to->items, to->count * sizeof *items);
    }
    for (uint32_t i = 0; i < from->count; i++) {
        number[i] = compare->to_of_from[i];
        if (number[i] == DEFINITION_NONE) {
            number[i] = count;
            items[count++] = from->items[i];
            uint32_t owner = from->items[i].owner;
            if (owner == DEFINITION_NONE || compare->to_of_from[owner] != DEFINITION_NONE) {
                struct diff_change *change = add_change(diff, DIFF_DROP, &from->items[i]);
                change->kept = true;
                change->loses = from->items[i].holds_records;
            }
            *any = true;
        }
    }
    for (uint32_t i = to->count; i < count; i++) {
        struct definition *item = &items[i];
        uint32_t *needs = arena_allocate_zeroed(diff->arena, item->need_count + 1u, sizeof *needs);
        for (uint32_t n = 0; n < item->need_count; n++) {
            needs[n] = number[item->needs[n]];
        }
        item->needs = needs;
        item->owner = item->owner != DEFINITION_NONE ? number[item->owner] : DEFINITION_NONE;
    }
    diff->to.definitions = (struct definitions){items, count};
}

/* ---------------------------------------------------------------- questions */

static bool is_new_or_gone(const uint32_t *other, uint32_t number)
{
    return other[number] == DEFINITION_NONE;
}

/* Something went and something like it came: is it the same? */
static void ask_of(struct diff *diff, uint32_t gone)
{
    const struct diff_compare *compare = &diff->compare;
    const struct definition *old_one = &compare->from.items[gone];
    for (uint32_t i = 0; i < compare->to.count; i++) {
        const struct definition *new_one = &compare->to.items[i];
        if (!is_new_or_gone(compare->from_of_to, i) || new_one->owner == DEFINITION_NONE ||
            strcmp(new_one->kind, old_one->kind) != 0 ||
            compare->from_of_to[new_one->owner] != old_one->owner ||
            diff->result->question_count >= QUESTIONS_MAX) {
            continue;
        }
        diff->questions =
            arena_make_room(diff->arena, diff->questions, diff->result->question_count,
                            &diff->question_capacity, sizeof *diff->questions);
        diff->questions[diff->result->question_count++] = arena_format(
            diff->arena, "is the column %s the former %s? then: --renamed %s.%s=%s",
            name_of(diff, new_one), old_one->name, old_one->table, old_one->name, new_one->name);
        diff->result->questions = diff->questions;
    }
}

static void diff_ask(struct diff *diff)
{
    const struct diff_compare *compare = &diff->compare;
    for (uint32_t i = 0; i < compare->from.count; i++) {
        if (is_new_or_gone(compare->to_of_from, i) && compare->from.items[i].holds_records &&
            compare->from.items[i].owner != DEFINITION_NONE &&
            strcmp(compare->from.items[i].kind, "column") == 0) {
            ask_of(diff, i);
        }
    }
}

/* ---------------------------------------------------------------- renaming */

static bool is_alike(const char *left, const char *right)
{
    return left == NULL || right == NULL || strcasecmp(left, right) == 0;
}

static const struct definition *diff_find(const struct definitions *in,
                                          const struct diff_rename *rename, const char *name)
{
    for (uint32_t i = 0; i < in->count; i++) {
        const struct definition *item = &in->items[i];
        if (strcmp(item->kind, rename->kind) == 0 && strcasecmp(item->name, name) == 0 &&
            is_alike(rename->schema, item->schema) &&
            (rename->table == NULL || is_alike(rename->table, item->table))) {
            return item;
        }
    }
    return NULL;
}

/* A copy of the `from` side that may be changed. */
static enum status copy_from(struct diff *diff, struct error *error)
{
    struct diff_side *from = &diff->from;
    struct diff_side empty = {.text = ""};
    struct diff copy = {.options = diff->options, .arena = diff->arena, .to = *from};
    struct diff_result made = {0};
    if (diff->renaming != NULL) {
        return STATUS_OK;
    }
    if (from->server.database == NULL) {
        diff->renaming = from->session;
        return STATUS_OK;
    }
    copy.result = &made;
    copy.from = empty;
    if (from->functions->open(from->server.database, true, &diff->renaming, error) != STATUS_OK ||
        from->functions->read(diff->renaming, diff->arena, &copy.from.definitions, error) !=
            STATUS_OK ||
        sides_compare(&copy, error) != STATUS_OK || word(&copy, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < made.statement_count; i++) {
        const char *text = made.statements[i].text;
        if (from->functions->run(diff->renaming, text, strlen(text), error) != STATUS_OK) {
            return error_context(error, "a copy of the schema, to rename in: ");
        }
    }
    return STATUS_OK;
}

static enum status rename_one(struct diff *diff, const struct diff_rename *rename,
                              struct error *error)
{
    const struct definition_statement *statements = NULL;
    uint32_t count = 0;
    const struct definition *before = diff_find(&diff->from.definitions, rename, rename->old_name);
    const struct definition *wanted = diff_find(&diff->to.definitions, rename, rename->new_name);
    if (before == NULL || wanted == NULL ||
        diff_find(&diff->from.definitions, rename, rename->new_name) != NULL) {
        return STATUS_OK;
    }
    struct definition after = *before;
    after.name = wanted->name;
    const struct definition_change change = {.kind = DEFINITION_RENAME,
                                             .from = &diff->from.definitions,
                                             .to = &diff->to.definitions,
                                             .before = before,
                                             .after = &after};
    struct error problem = {0};
    if (diff->from.functions->emit(diff->from.session, &change, diff->arena, &statements, &count,
                                   &problem) != STATUS_OK) {
        /* then it is dropped and made again */
        return problem.code == ERROR_NOT_IMPLEMENTED ? STATUS_OK : error_copy(error, &problem);
    }
    if (copy_from(diff, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (diff->from.functions->run(diff->renaming, statements[i].text,
                                      strlen(statements[i].text), error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    add_change(diff, DIFF_RENAME, before)->detail =
        arena_format(diff->arena, "name: %s -> %s", before->name, after.name);
    add_statements(diff, statements, count);
    return diff->from.functions->read(diff->renaming, diff->arena, &diff->from.definitions, error);
}

/* Tables first, since columns are named along with what their table is called afterwards. */
static enum status rename_all(struct diff *diff, struct error *error)
{
    struct diff_renames *renames = &diff->to.renames;
    for (uint32_t i = 0; i < diff->options->rename_count; i++) {
        if (diff_renames_parse(diff->options->renames[i], diff->arena, renames, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (int parts = 0; parts < 2; parts++) {
        for (uint32_t i = 0; i < renames->count; i++) {
            if ((renames->items[i].table != NULL) == (parts == 1) &&
                rename_one(diff, &renames->items[i], error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of it */

static enum status sides_run(struct diff *diff, struct error *error)
{
    bool any = false;
    if (open_sides(diff, error) != STATUS_OK || rename_all(diff, error) != STATUS_OK ||
        sides_compare(diff, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    diff_ask(diff);
    if (!diff->options->allow_drop) {
        keep_dropped(diff, &any);
        if (any && sides_compare(diff, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return word(diff, error);
}

enum status diff_run(const struct diff_options *options, struct arena *arena,
                     struct diff_result *result, struct error *error)
{
    struct diff diff = {
        .options = options,
        .arena = arena,
        .from.text = options->from,
        .to.text = options->to,
        .to.maker = options->maker,
        .result = result,
    };
    *result = (struct diff_result){0};
    enum status status = sides_run(&diff, error);
    if (diff.renaming != diff.from.session) {
        diff.from.functions->close(diff.renaming);
    }
    result->language = diff.to.functions != NULL ? diff.to.functions->language : SQL_SQLITE;
    /* scratch places are removed over the connections of their servers */
    if (diff.from.session != NULL) {
        diff.from.functions->close(diff.from.session);
        diff.from.session = NULL;
    }
    diff_side_close(&diff.to);
    diff_side_close(&diff.from);
    diff_close_database(&diff.extra);
    return status;
}
