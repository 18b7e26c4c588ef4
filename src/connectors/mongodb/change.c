/*
 * Declared changes of a database. There are no triggers that could keep two forms of a document
 * equal: what adds is made at the start and can be taken back, fields are filled in batches along
 * _id, and what the old version wrote since is brought in when it is gone. What drops comes with
 * `complete`.
 */
#include "connectors/mongodb/alter.h"

#include <string.h>

/* ---------------------------------------------------------------- steps and failures */

static enum status mongodb_change_fail(struct mongodb_compiler *compiler, enum error_code code,
                                       const struct change_value *at, struct error *error,
                                       const char *why, const char *instead)
{
    change_builder_fail(&compiler->builder, code, at, error, "%s", why);
    return instead != NULL ? error_hint(error, "%s", instead) : STATUS_FAILED;
}

enum status mongodb_invalid(struct mongodb_compiler *compiler, const struct change_value *at,
                            struct error *error, const char *why, const char *instead)
{
    return mongodb_change_fail(compiler, ERROR_CHANGE_INVALID, at, error, why, instead);
}

enum status mongodb_refuse(struct mongodb_compiler *compiler, const struct change_value *at,
                           struct error *error, const char *why, const char *instead)
{
    return mongodb_change_fail(compiler, ERROR_CHANGE_REFUSED, at, error, why, instead);
}

struct change_step *mongodb_add(struct mongodb_compiler *compiler, enum change_phase phase,
                                const char *title, const char *text, const char *undo,
                                const char *stands)
{
    struct change_step *step = change_builder_step(&compiler->builder, phase, title);
    step->language = ALTER_MONGO;
    step->lock = ALTER_LOCK_NONE;
    step->text = text;
    step->undo = undo;
    step->stands = stands;
    return step;
}

struct change_step *mongodb_add_batches(struct mongodb_compiler *compiler, enum change_phase phase,
                                        const char *title, const char *stages, const char *undo)
{
    struct change_step *step =
        mongodb_add(compiler, phase, title,
                    arena_format(compiler->arena, "{\"stages\": [%s]}", stages), undo, NULL);
    step->kind = CHANGE_BATCHES;
    return step;
}

enum status mongodb_ask(struct mongodb_compiler *compiler, const char *text, const char **answer,
                        struct error *error)
{
    return mongodb_alter.ask(compiler->session, text, compiler->arena, answer, error);
}

/* ---------------------------------------------------------------- collections */

static bool is_made_before(const struct mongodb_compiler *compiler, const char *name)
{
    const struct change *change = compiler->builder.change;
    bool made = false;
    for (uint32_t i = 0; i < compiler->builder.number; i++) {
        const struct change_operation *operation = &change->operations[i];
        const char *own =
            strcmp(operation->kind, "create_table") == 0 ? change_text(&operation->value, "name")
            : strcmp(operation->kind, "copy_table") == 0 ? change_text(&operation->value, "to")
                                                         : NULL;
        made = made || (own != NULL && strcmp(own, name) == 0);
    }
    return made;
}

static enum status is_there(struct mongodb_compiler *compiler, const char *name, bool *there,
                            struct error *error)
{
    struct mongodb_facts facts = {0};
    enum status status = mongodb_collection_look(compiler->mongodb, name, &facts, error);
    *there = facts.exists;
    return status;
}

enum status mongodb_find_collection(struct mongodb_compiler *compiler,
                                    const struct change_value *at, bool *made, struct error *error)
{
    bool there = false;
    bool before = is_made_before(compiler, at->text);
    if (made != NULL) {
        *made = before;
    }
    if (!before && is_there(compiler, at->text, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return before || there ? STATUS_OK
                           : change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at,
                                                 error, "there is no collection '%s'", at->text);
}

enum status mongodb_keep_free(struct mongodb_compiler *compiler, const struct change_value *at,
                              struct error *error)
{
    const char *name = at->text;
    bool there = is_made_before(compiler, name);
    bool own = strncmp(name, "system.", 7) == 0 ||
               strncmp(name, MONGODB_OWN_PREFIX, strlen(MONGODB_OWN_PREFIX)) == 0;
    if (own || name[0] == '\0' || name[0] == '.' || strchr(name, '$') != NULL) {
        return mongodb_invalid(compiler, at, error, "it is no name that a collection can have",
                               NULL);
    }
    if (!there && is_there(compiler, name, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return there ? change_builder_fail(&compiler->builder, ERROR_CHANGE_INVALID, at, error,
                                       "there is a collection '%s' already", name)
                 : STATUS_OK;
}

/* Columns of MongoDB are fields, which a validator may ask for. */
static enum status check_columns(struct mongodb_compiler *compiler,
                                 const struct change_value *value, struct error *error)
{
    const struct change_value *columns = change_get(value, "columns");
    for (uint32_t i = 0; columns != NULL && i < columns->count; i++) {
        const char *name = change_text(&columns->items[i], "name");
        if (name == NULL || strcmp(name, MONGODB_ID) != 0) {
            return mongodb_refuse(
                compiler, &columns->items[i], error, "a collection has no columns but _id",
                "Fields are asked for by `options: { validator: '{\"$jsonSchema\":"
                " …}' }`.");
        }
    }
    return change_get(value, "constraints") != NULL
               ? mongodb_refuse(compiler, change_get(value, "constraints"), error,
                                "a collection has no constraints",
                                "Unique indexes are made by `create_index`.")
               : STATUS_OK;
}

static enum status create_collection(struct mongodb_compiler *compiler,
                                     const struct change_value *value, struct error *error)
{
    const struct change_value *at = change_get(value, "name");
    const struct change_value *options = change_get(value, "options");
    struct buffer text = {0};
    if (mongodb_keep_free(compiler, at, error) != STATUS_OK ||
        check_columns(compiler, value, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(&text, "{\"create\": %s", mongodb_quoted(compiler, at->text));
    if (mongodb_append_options(compiler, options, &text, error) != STATUS_OK) {
        buffer_free(&text);
        return STATUS_FAILED;
    }
    buffer_append_byte(&text, '}');
    mongodb_add(compiler, CHANGE_EXPAND,
                arena_format(compiler->arena, "create collection %s", at->text),
                mongodb_taken(compiler, &text), mongodb_drop(compiler, at->text),
                mongodb_named(compiler, at->text, true));
    change_builder_way(&compiler->builder, "made at the start",
                       "`abort` drops it with its documents");
    return STATUS_OK;
}

static enum status drop_collection(struct mongodb_compiler *compiler,
                                   const struct change_value *value, struct error *error)
{
    const struct change_value *at = change_get(value, "name");
    if (mongodb_find_collection(compiler, at, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mongodb_add(compiler, CHANGE_CONTRACT,
                arena_format(compiler->arena, "drop collection %s", at->text),
                mongodb_drop(compiler, at->text), NULL, NULL);
    change_builder_way(&compiler->builder, "dropped by `complete`", NULL);
    return STATUS_OK;
}

static enum status rename_collection(struct mongodb_compiler *compiler,
                                     const struct change_value *value, struct error *error)
{
    const struct change_value *from = change_get(value, "from");
    const struct change_value *to = change_get(value, "to");
    if (mongodb_find_collection(compiler, from, NULL, error) != STATUS_OK ||
        mongodb_keep_free(compiler, to, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mongodb_add(compiler, CHANGE_SWITCH_WRITES,
                arena_format(compiler->arena, "rename collection %s to %s", from->text, to->text),
                mongodb_rename(compiler, from->text, to->text, false),
                mongodb_rename(compiler, to->text, from->text, false),
                mongodb_named(compiler, to->text, true));
    change_builder_way(&compiler->builder, "at once, by `switch writes`",
                       "from that moment on the old version finds an empty collection, and what it "
                       "writes makes it again");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all operations */

static enum status run_text(struct mongodb_compiler *compiler, const struct change_value *value,
                            struct error *error)
{
    bool late = change_is_true(value, "on_complete");
    const char *down = change_text(value, "down");
    bool has_down = down != NULL && down[0] != '\0';
    if (mongodb_json_document(compiler, change_get(value, "up"), error) == NULL ||
        (has_down && mongodb_json_document(compiler, change_get(value, "down"), error) == NULL)) {
        return STATUS_FAILED;
    }
    struct change_step *step =
        mongodb_add(compiler, late ? CHANGE_CONTRACT : CHANGE_EXPAND, "run a command",
                    change_text(value, "up"), has_down ? down : NULL, NULL);
    step->said = true;
    change_builder_way(&compiler->builder, late ? "as it is, by `complete`" : "as it is", NULL);
    return STATUS_OK;
}

static enum status refuse_constraint(struct mongodb_compiler *compiler,
                                     const struct change_value *value, struct error *error)
{
    (void)value;
    return mongodb_refuse(compiler, NULL, error, "a collection has no constraints by name",
                          "`create_index` with `unique: true`; `set_table` with a validator.");
}

static const struct {
    const char *kind;
    mongodb_compile *compile;
} operations[] = {{"create_table", create_collection},    {"drop_table", drop_collection},
                  {"rename_table", rename_collection},    {"copy_table", mongodb_copy_collection},
                  {"set_table", mongodb_set_collection},  {"add_column", mongodb_add_field},
                  {"drop_column", mongodb_drop_field},    {"rename_column", mongodb_rename_field},
                  {"alter_column", mongodb_alter_field},  {"create_index", mongodb_create_index},
                  {"drop_index", mongodb_drop_index},     {"create_constraint", refuse_constraint},
                  {"drop_constraint", refuse_constraint}, {"sql", run_text}};

static enum status compile_one(struct mongodb_compiler *compiler, struct error *error)
{
    const struct change_operation *operation =
        &compiler->builder.change->operations[compiler->builder.number];
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if (strcmp(operations[i].kind, operation->kind) == 0) {
            return operations[i].compile(compiler, &operation->value, error);
        }
    }
    return mongodb_refuse(compiler, NULL, error, "MongoDB has nothing like it",
                          "`copy_table` makes documents of another shape; a plan of `transhume "
                          "migrate` leads several collections together.");
}

static enum status compile(struct alter_session *session, const struct change *change,
                           struct arena *arena, struct change_plan *plan, struct error *error)
{
    struct mongodb_compiler compiler = {.builder = {.arena = arena, .change = change},
                                        .session = session,
                                        .mongodb = mongodb_of(session->database),
                                        .arena = arena};
    for (uint32_t i = 0; i < change->count; i++) {
        compiler.builder.number = i;
        if (compile_one(&compiler, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    change_builder_end(&compiler.builder, plan);
    return STATUS_OK;
}

const struct change_functions mongodb_change = {
    .compile = compile, .batch = mongodb_batch, .estimate = mongodb_estimate};
