/* Lists of definitions made of rows, and who stands on whom. */
#include "connectors/sql/definitions.h"
#include "base/name_index.h"
#include "connectors/sql/template.h"
#include "sql/lexer.h"
#include <stdlib.h>
#include <string.h>

enum { ROW_ID, ROW_KIND, ROW_SCHEMA, ROW_TABLE, ROW_NAME, ROW_OWNER, ROW_FACTS };

const struct sql_definition_kind *sql_definition_kind(const struct sql_definition_kind *kinds,
                                                      const char *name)
{
    while (kinds->name != NULL && strcmp(kinds->name, name) != 0) {
        kinds++;
    }
    return kinds->name != NULL ? kinds : NULL;
}

/* ---------------------------------------------------------------- making the list */

static const char *definitions_copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_copy_string(arena, text) : NULL;
}

struct definition *sql_definitions_add(struct sql_definitions *list, const char *kind,
                                       const char *schema, const char *table, const char *name)
{
    const struct sql_definition_kind *of = sql_definition_kind(list->kinds, kind);
    if (of == NULL) {
        return NULL;
    }
    list->items = arena_make_room(list->arena, list->items, list->count, &list->capacity,
                                  sizeof *list->items);
    list->ids =
        arena_make_room(list->arena, list->ids, list->count, &list->id_capacity, sizeof *list->ids);
    list->owner_ids = arena_make_room(list->arena, list->owner_ids, list->count,
                                      &list->owner_capacity, sizeof *list->owner_ids);
    list->ids[list->count] = NULL;
    list->owner_ids[list->count] = NULL;
    struct definition *item = &list->items[list->count++];
    *item = (struct definition){
        .kind = of->name,
        .schema = definitions_copy(list->arena, schema),
        .table = definitions_copy(list->arena, table),
        .name = definitions_copy(list->arena, name),
        .binding = of->binding,
        .holds_records = of->holds_records,
        .rank = of->rank,
        .owner = DEFINITION_NONE,
    };
    return item;
}

void sql_definitions_add_fact(struct sql_definitions *list, struct definition *definition,
                              const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    struct definition_fact *facts =
        arena_allocate_zeroed(list->arena, definition->fact_count + 1u, sizeof *facts);
    if (definition->fact_count > 0) {
        memcpy(facts, definition->facts, definition->fact_count * sizeof *facts);
    }
    facts[definition->fact_count++] = (struct definition_fact){
        definitions_copy(list->arena, name), definitions_copy(list->arena, value)};
    definition->facts = facts;
}

void sql_definitions_add_row(struct sql_definitions *list, const char *const *names,
                             const char *const *values, uint32_t count)
{
    struct definition *item =
        sql_definitions_add(list, values[ROW_KIND], values[ROW_SCHEMA], values[ROW_TABLE],
                            values[ROW_NAME] != NULL ? values[ROW_NAME] : "");
    if (item == NULL) {
        return;
    }
    list->ids[list->count - 1] = definitions_copy(list->arena, values[ROW_ID]);
    list->owner_ids[list->count - 1] = definitions_copy(list->arena, values[ROW_OWNER]);
    struct definition_fact *facts = arena_allocate_zeroed(list->arena, count, sizeof *facts);
    for (uint32_t i = ROW_FACTS; i < count; i++) {
        if (values[i] != NULL) {
            facts[item->fact_count++] = (struct definition_fact){
                definitions_copy(list->arena, names[i]), definitions_copy(list->arena, values[i])};
        }
    }
    item->facts = facts;
}

void sql_definition_needs_add(struct sql_definition_needs *needs, struct arena *arena,
                              const char *user, const char *used)
{
    needs->users = arena_make_room(arena, needs->users, needs->count, &needs->user_capacity,
                                   sizeof *needs->users);
    needs->used = arena_make_room(arena, needs->used, needs->count, &needs->used_capacity,
                                  sizeof *needs->used);
    needs->users[needs->count] = arena_copy_string(arena, user);
    needs->used[needs->count++] = arena_copy_string(arena, used);
}

/* ---------------------------------------------------------------- who needs whom */

struct pair {
    uint32_t user;
    uint32_t used;
};

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *one = left;
    const struct pair *other = right;
    return one->user != other->user ? (one->user > other->user) - (one->user < other->user)
                                    : (one->used > other->used) - (one->used < other->used);
}

static uint32_t find_id(const struct name_index *index, const char *id)
{
    return id != NULL ? name_index_find(index, id, strlen(id)) : NAME_INDEX_NONE;
}

static void take_pairs(struct sql_definitions *list, const struct pair *pairs, uint32_t count)
{
    uint32_t *used = arena_allocate_zeroed(list->arena, count + 1u, sizeof *used);
    for (uint32_t i = 0; i < count; i++) {
        struct definition *user = &list->items[pairs[i].user];
        used[i] = pairs[i].used;
        if (user->need_count == 0) {
            user->needs = &used[i];
        }
        user->need_count++;
    }
}

void sql_definitions_finish(struct sql_definitions *list, const struct sql_definition_needs *needs,
                            struct definitions *definitions)
{
    struct name_index index = {.arena = list->arena};
    struct pair *pairs =
        arena_allocate_zeroed(list->arena, list->count + needs->count + 1u, sizeof *pairs);
    uint32_t count = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        if (list->ids[i] != NULL) {
            (void)name_index_add(&index, list->ids[i], strlen(list->ids[i]), i);
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        list->items[i].owner = find_id(&index, list->owner_ids[i]);
        if (list->items[i].owner != NAME_INDEX_NONE) {
            pairs[count++] = (struct pair){i, list->items[i].owner};
        }
    }
    for (uint32_t i = 0; i < needs->count; i++) {
        struct pair pair = {find_id(&index, needs->users[i]), find_id(&index, needs->used[i])};
        if (pair.user != NAME_INDEX_NONE && pair.used != NAME_INDEX_NONE &&
            pair.user != pair.used) {
            pairs[count++] = pair;
        }
    }
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    take_pairs(list, pairs, count);
    *definitions = (struct definitions){list->items, list->count};
}

/* A definition that a name in a text may stand for; several may share the name. */
struct named_item {
    uint32_t number;
    uint32_t next; /* NAME_INDEX_NONE: no other one */
};

static bool is_kind_of(const char *const *kinds, const char *kind)
{
    for (; *kinds != NULL; kinds++) {
        if (strcmp(*kinds, kind) == 0) {
            return true;
        }
    }
    return false;
}

static void note_names_in(struct sql_definitions *list, enum sql_language language, uint32_t user,
                          const char *text, const struct name_index *index,
                          const struct named_item *named, struct sql_definition_needs *needs)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, language, text, strlen(text), NULL);
    for (;;) {
        struct sql_token token = sql_lexer_next_code(&lexer);
        if (token.kind == SQL_TOKEN_END) {
            return;
        }
        if (!sql_token_is_name(&token, language)) {
            continue;
        }
        const char *name = sql_token_name(&token, language, list->arena);
        uint32_t at = name_index_find(index, name, strlen(name));
        for (; at != NAME_INDEX_NONE; at = named[at].next) {
            if (named[at].number != user) {
                sql_definition_needs_add(needs, list->arena, list->ids[user],
                                         list->ids[named[at].number]);
            }
        }
    }
}

void sql_definitions_find_needs(struct sql_definitions *list, enum sql_language language,
                                const char *fact, const char *const *named,
                                struct sql_definition_needs *needs)
{
    struct name_index index = {.arena = list->arena, .folded = true};
    struct named_item *items = arena_allocate_zeroed(list->arena, list->count + 1u, sizeof *items);
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = list->items[i].name;
        if (is_kind_of(named, list->items[i].kind)) {
            uint32_t first = name_index_add(&index, name, strlen(name), i);
            items[i] = (struct named_item){i, NAME_INDEX_NONE};
            if (first != NAME_INDEX_NONE) {
                items[i].next = items[first].next;
                items[first].next = i;
            }
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const char *text = definition_fact(&list->items[i], fact);
        if (text != NULL && list->ids[i] != NULL) {
            note_names_in(list, language, i, text, &index, items, needs);
        }
    }
}

/* ---------------------------------------------------------------- looking in it */

const struct definition *sql_definitions_of(const struct definitions *list, uint32_t owner,
                                            const char *kind, uint32_t *at)
{
    while (*at < list->count) {
        const struct definition *item = &list->items[(*at)++];
        if (item->owner == owner && (kind == NULL || strcmp(item->kind, kind) == 0)) {
            return item;
        }
    }
    return NULL;
}

static bool is_same(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

const struct definition *sql_definitions_find(const struct definitions *list, const char *kind,
                                              const char *schema, const char *table,
                                              const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct definition *item = &list->items[i];
        if (is_same(item->name, name) && is_same(item->kind, kind) &&
            is_same(item->schema, schema) && is_same(item->table, table)) {
            return item;
        }
    }
    return NULL;
}

bool sql_definition_same_fact(const struct definition *left, const struct definition *right,
                              const char *name)
{
    return is_same(definition_fact(left, name), definition_fact(right, name));
}

bool sql_definition_differs_only(const struct definition *left, const struct definition *right,
                                 const char *but)
{
    const struct definition *sides[] = {left, right};
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < sides[side]->fact_count; i++) {
            const char *name = sides[side]->facts[i].name;
            if (name[0] != '_' && (but == NULL || strcmp(name, but) != 0) &&
                !sql_definition_same_fact(left, right, name)) {
                return false;
            }
        }
    }
    return true;
}

/* ---------------------------------------------------------------- statements */

struct definition_statement *sql_emit(struct sql_emission *emission, struct buffer *text,
                                      enum alter_lock lock)
{
    emission->statements = arena_make_room(emission->arena, emission->statements, emission->count,
                                           &emission->capacity, sizeof *emission->statements);
    struct definition_statement *statement = &emission->statements[emission->count++];
    *statement =
        (struct definition_statement){.text = sql_text(emission->arena, text), .lock = lock};
    return statement;
}

enum status sql_definitions_emit(const struct sql_definition_kind *kinds,
                                 struct sql_emission *emission,
                                 const struct definition_statement **statements, uint32_t *count,
                                 struct error *error)
{
    const struct definition_change *change = emission->change;
    const struct definition *item = change->before != NULL ? change->before : change->after;
    const struct sql_definition_kind *kind = sql_definition_kind(kinds, item->kind);
    sql_emit_function function = kind == NULL                        ? NULL
                                 : change->kind == DEFINITION_CREATE ? kind->create
                                 : change->kind == DEFINITION_ALTER  ? kind->alter
                                 : change->kind == DEFINITION_RENAME ? kind->rename
                                                                     : kind->drop;
    enum status status = STATUS_AGAIN;
    if (function != NULL) {
        status = function(emission, change->before, change->after);
    }
    *statements = emission->statements;
    *count = status == STATUS_OK ? emission->count : 0;
    if (status == STATUS_AGAIN && change->kind != DEFINITION_ALTER) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, item->name, "a %s can't be %s", item->kind,
                         change->kind == DEFINITION_CREATE   ? "made by this program"
                         : change->kind == DEFINITION_RENAME ? "renamed"
                                                             : "dropped by this program");
    }
    return status;
}

/* ---------------------------------------------------------------- texts */

/* Can a quoted name do without quotes? */
static bool is_plain_name(const char *name, enum sql_language language)
{
    if (*name == '\0' || (*name >= '0' && *name <= '9')) {
        return false;
    }
    for (const char *at = name; *at != '\0'; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || *at == '_' || (*at >= '0' && *at <= '9') ||
                      (language == SQL_SQLITE && *at >= 'A' && *at <= 'Z');
        if (!letter) {
            return false;
        }
    }
    return true;
}

static void append_normal_token(const struct sql_token *token, enum sql_language language,
                                struct arena *arena, struct buffer *out)
{
    if (token->kind == SQL_TOKEN_WORD) {
        for (size_t i = 0; i < token->length; i++) {
            char byte = token->text[i];
            buffer_append_byte(out, byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : byte);
        }
        return;
    }
    if (token->kind == SQL_TOKEN_NAME) {
        char *name = sql_token_name(token, language, arena);
        if (is_plain_name(name, language)) {
            for (char *at = name; *at != '\0'; at++) {
                *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
            }
            buffer_append_string(out, name);
        } else {
            buffer_append_byte(out, '"');
            for (const char *at = name; *at != '\0'; at++) {
                buffer_append_string(out, *at == '"' ? "\"" : "");
                buffer_append_byte(out, *at);
            }
            buffer_append_byte(out, '"');
        }
        return;
    }
    buffer_append(out, token->text, token->length);
}

const char *sql_normal_text(enum sql_language language, const char *text, struct arena *arena)
{
    struct sql_lexer lexer;
    struct buffer out = {0};
    sql_lexer_init(&lexer, language, text, strlen(text), NULL);
    for (;;) {
        struct sql_token token = sql_lexer_next_code(&lexer);
        if (token.kind == SQL_TOKEN_END) {
            break;
        }
        if (out.length > 0) {
            buffer_append_byte(&out, ' ');
        }
        append_normal_token(&token, language, arena, &out);
    }
    return sql_text(arena, &out);
}
