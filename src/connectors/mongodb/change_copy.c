/*
 * copy_table: a second collection that the server fills from the first one by aggregations with
 * $merge, batch by batch. The start copies; `switch writes` copies once more what was written
 * since, deletes what is gone, and compares both. From then on applications write the second one.
 */
#include "connectors/mongodb/alter.h"

#include <string.h>

/* {"$project": {"_id": 1, NAME: EXPRESSION, …}}, in the arena; "": all fields as they are. */
static enum status projection_of(struct mongodb_compiler *compiler,
                                 const struct change_value *columns, const char **text,
                                 struct error *error)
{
    struct buffer out = {0};
    enum status status = STATUS_OK;
    *text = "";
    if (columns == NULL || columns->count == 0) {
        return STATUS_OK;
    }
    buffer_append_string(&out, "{\"$project\": {\"_id\": 1");
    for (uint32_t i = 0; i < columns->count && status == STATUS_OK; i++) {
        const struct change_value name = {.kind = CHANGE_TEXT,
                                          .text = columns->keys[i],
                                          .line = columns->items[i].line,
                                          .column = columns->items[i].column};
        const char *expression = NULL;
        status = mongodb_check_field(compiler, &name, error);
        if (status == STATUS_OK) {
            expression = mongodb_expression(compiler, &columns->items[i], error);
            status = expression != NULL ? STATUS_OK : STATUS_FAILED;
        }
        if (status == STATUS_OK) {
            buffer_format(&out, ", %s: %s", mongodb_quoted(compiler, name.text), expression);
        }
    }
    buffer_append_string(&out, "}}, ");
    *text = status == STATUS_OK ? mongodb_taken(compiler, &out) : NULL;
    buffer_free(&out);
    return status;
}

struct copying {
    const char *from, *to; /* names as JSON */
    const char *projection;
};

static const char *merge_stage(struct mongodb_compiler *compiler, const struct copying *it)
{
    return arena_format(compiler->arena,
                        "{\"do\": \"merge\", \"in\": %s, \"pipeline\": [%s{\"$merge\": {\"into\": "
                        "%s, \"on\": \"_id\", \"whenMatched\": \"replace\", \"whenNotMatched\": "
                        "\"insert\"}}]}",
                        it->from, it->projection, it->to);
}

static const char *sweep_stage(struct mongodb_compiler *compiler, const struct copying *it)
{
    return arena_format(compiler->arena, "{\"do\": \"sweep\", \"in\": %s, \"from\": %s}", it->to,
                        it->from);
}

/* Documents whose copy is not what it should be. */
static const char *compare_stage(struct mongodb_compiler *compiler, const struct copying *it)
{
    return arena_format(
        compiler->arena,
        "{\"do\": \"prove\", \"in\": %s, \"pipeline\": [%s{\"$project\": {\"mine\": \"$$ROOT\"}}, "
        "{\"$lookup\": {\"from\": %s, \"localField\": \"_id\", \"foreignField\": \"_id\", \"as\": "
        "\"there\"}}, {\"$match\": {\"$expr\": {\"$ne\": [{\"$arrayElemAt\": [\"$there\", 0]}, "
        "\"$mine\"]}}}]}",
        it->from, it->projection, it->to);
}

static enum status check_copy(struct mongodb_compiler *compiler, const struct change_value *value,
                              struct error *error)
{
    static const char *const others[] = {"back", "types"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        const struct change_value *at = change_get(value, others[i]);
        if (at != NULL) {
            return mongodb_refuse(compiler, at, error,
                                  "MongoDB has no triggers that would feed the first collection, "
                                  "and no types of fields",
                                  "Leave it out; `{\"$convert\": …}` makes another type.");
        }
    }
    return STATUS_OK;
}

static void add_steps(struct mongodb_compiler *compiler, const struct change_value *value,
                      const struct copying *it)
{
    struct arena *arena = compiler->arena;
    const char *from = change_text(value, "table");
    const char *to = change_text(value, "to");
    mongodb_add(compiler, CHANGE_EXPAND, arena_format(arena, "create collection %s", to),
                arena_format(arena, "{\"create\": %s}", it->to), mongodb_drop(compiler, to),
                mongodb_named(compiler, to, true));
    mongodb_add_batches(compiler, CHANGE_FILL, arena_format(arena, "copy %s into %s", from, to),
                        merge_stage(compiler, it), NULL);
    mongodb_add_batches(compiler, CHANGE_SWITCH_WRITES,
                        arena_format(arena, "copy what was written since into %s, and compare", to),
                        arena_format(arena, "%s, %s, %s", merge_stage(compiler, it),
                                     sweep_stage(compiler, it), compare_stage(compiler, it)),
                        NULL);
    if (change_is_true(value, "drop")) {
        mongodb_add(
            compiler, CHANGE_CONTRACT, arena_format(arena, "rename %s to %s, which goes", to, from),
            mongodb_rename(compiler, to, from, true), NULL, mongodb_named(compiler, to, false));
    }
}

enum status mongodb_copy_collection(struct mongodb_compiler *compiler,
                                    const struct change_value *value, struct error *error)
{
    const struct change_value *table = change_get(value, "table");
    const struct change_value *to = change_get(value, "to");
    struct copying copying = {.from = mongodb_quoted(compiler, table->text),
                              .to = mongodb_quoted(compiler, to->text)};
    if (check_copy(compiler, value, error) != STATUS_OK ||
        mongodb_find_collection(compiler, table, NULL, error) != STATUS_OK ||
        mongodb_keep_free(compiler, to, error) != STATUS_OK ||
        projection_of(compiler, change_get(value, "columns"), &copying.projection, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    add_steps(compiler, value, &copying);
    change_builder_way(&compiler->builder,
                       "copied in batches along _id, and once more by `switch writes`",
                       "nobody may write the first collection while that runs, nor the second one "
                       "before; indexes and options are not copied");
    return STATUS_OK;
}
