/* Objects and rights that a copy does not carry, noted in the run's status: for its last lines,
 * `status` and the report. */
#include "engine/run/left_behind.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/check/preflight.h"
#include "engine/ledger/json_text.h"
#include "model/json_tree.h"
#include "observe/not_carried.h"
#include "observe/rights_list.h"
#include <stdlib.h>
#include <string.h>

enum { LISTED_MAX = 1000 }; /* of more, the rest is counted by kind */

static json_t *item_make(const char *kind, const char *object, const char *text, uint32_t count)
{
    return json_pack("{s:o,s:o,s:o,s:I}", "kind", json_text(kind), "object", json_text(object),
                     "text", json_text(text), "count", (json_int_t)count);
}

/* The item that stands for what is not listed of that kind. */
static json_t *rest_of(json_t *list, const char *kind)
{
    for (size_t i = LISTED_MAX; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        if (json_is_text(json_object_get(item, "kind"), kind)) {
            return item;
        }
    }
    return NULL;
}

static void left_behind_add(json_t *list, const char *kind, const char *object, const char *text,
                            uint32_t count)
{
    if (json_array_size(list) < LISTED_MAX) {
        json_array_append_new(list, item_make(kind, object, text, count));
        return;
    }
    json_t *rest = rest_of(list, kind);
    if (rest == NULL) {
        json_array_append_new(
            list, item_make(kind, "more", "not listed here; `transhume check` names all", count));
        return;
    }
    json_int_t sum = json_integer_value(json_object_get(rest, "count")) + count;
    json_object_set_new(rest, "count", json_integer(sum));
}

/* The word for the next of the objects that the target can't have. */
static const char *next_unfit(const struct schema *objects, const bool *unfit, uint32_t *place)
{
    while (unfit != NULL && *place < objects->object_count) {
        uint32_t number = (*place)++;
        if (unfit[number]) {
            return schema_object_word(&objects->objects[number]);
        }
    }
    return "object";
}

/* "NAME: text", a line each: first those of foreign keys, then those of objects. */
static void add_unfit(json_t *list, const struct preflight *preflight, const struct schema *objects,
                      struct arena *arena)
{
    uint64_t number = 0;
    uint32_t place = 0;
    if (preflight->unfit.length == 0) {
        return;
    }
    char *next = arena_copy(arena, preflight->unfit.data, preflight->unfit.length);
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        char *colon = strstr(line, ": ");
        if (colon != NULL) {
            *colon = '\0';
            const char *kind = number++ < preflight->unfit_count
                                   ? "foreign key"
                                   : next_unfit(objects, preflight->unfit_objects, &place);
            left_behind_add(list, kind, line, colon + 2, 1);
        }
    }
}

/* "KIND\tNAME: text", a line each. */
static void add_lost(json_t *list, const struct buffer *lines, struct arena *arena)
{
    char *next = lines->length > 0 ? arena_copy(arena, lines->data, lines->length) : NULL;
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        char *tab = strchr(line, '\t');
        char *colon = tab != NULL ? strstr(tab, ": ") : NULL;
        if (colon != NULL) {
            *tab = *colon = '\0';
            left_behind_add(list, line, tab + 1, colon + 2, 1);
        }
    }
}

json_t *left_behind_make(const struct run_session *session, const struct preflight *preflight)
{
    const struct plan *plan = session->plan;
    json_t *list = json_array();
    for (uint32_t i = 0; i < plan->note_count; i++) {
        const struct plan_note *note = &plan->notes[i];
        if (note->left != NULL) {
            left_behind_add(list, note->left, note->object, note->text, note->count);
        }
    }
    add_unfit(list, preflight, plan->same_engine_objects, session->arena);
    add_lost(list, &preflight->lost, session->arena);
    return list;
}

/* ---------------------------------------------------------------- rights */

/* Counts of the rights that are not listed. */
struct rest {
    uint32_t opening;
    uint32_t others;
    uint32_t statements; /* of the others */
    uint32_t definers;   /* likewise */
};

static void count_rest(const struct right_left *item, struct rest *rest)
{
    rest->opening += item->opens;
    rest->others += !item->opens;
    rest->statements += !item->opens && item->statement != NULL;
    rest->definers += !item->opens && strcmp(item->kind, "definer") == 0;
}

static void append_rest(json_t *list, const struct rest *rest)
{
    json_t *text = NULL;
    if (rest->opening + rest->others == 0) {
        return;
    }
    text = rest->opening == 0
               ? json_sprintf("%u more are not listed here; `transhume check` into an empty target "
                              "names all",
                              (unsigned)rest->others)
               : json_sprintf("%u more are not listed here, of which the run's log names the %u "
                              "that open something",
                              (unsigned)(rest->opening + rest->others), (unsigned)rest->opening);
    json_array_append_new(
        list, json_pack("{s:s,s:s,s:o,s:n,s:b,s:I,s:I,s:I}", "kind", "more", "object", "more",
                        "text", text, "statement", "opens", (int)(rest->opening > 0), "opening",
                        (json_int_t)rest->opening, "statements", (json_int_t)rest->statements,
                        "definers", (json_int_t)rest->definers));
}

static bool is_first(const struct right_left *item)
{
    return item->opens || strcmp(item->kind, "role") == 0;
}

static void log_open(const struct right_left *item)
{
    struct buffer head = {0};
    buffer_format(&head, "open: %s: %s", item->object, item->text);
    log_write_statement(LOG_WARNING, buffer_string(&head),
                        item->statement != NULL ? item->statement : "");
    buffer_free(&head);
}

/* A right that opens something has room first, and with it the roles that it may name. */
json_t *left_behind_rights(const struct rights_left *left, uint32_t status_bytes_max)
{
    enum { SHARE = 4 }; /* of the status, which has more to say */
    json_t **items = memory_allocate_zeroed((size_t)left->count + 1, sizeof *items);
    json_t *list = json_array();
    struct rest rest = {0};
    size_t bytes = 0;
    uint32_t listed = 0;
    for (int first = 1; first >= 0; first--) {
        for (uint32_t i = 0; i < left->count; i++) {
            const struct right_left *item = &left->items[i];
            if (is_first(item) != (first == 1)) {
                continue;
            }
            items[i] =
                json_pack("{s:o,s:o,s:o,s:o,s:b}", "kind", json_text(item->kind), "object",
                          json_text(item->object), "text", json_text(item->text), "statement",
                          json_text(item->statement), "opens", (int)item->opens);
            size_t more = json_dumpb(items[i], NULL, 0, JSON_COMPACT) + 1;
            if ((first == 0 && listed >= LISTED_MAX) || bytes + more > status_bytes_max / SHARE) {
                json_decref(items[i]);
                items[i] = NULL;
                count_rest(item, &rest);
                if (item->opens) {
                    log_open(item);
                }
                continue;
            }
            bytes += more;
            listed++;
        }
    }
    for (uint32_t i = 0; i < left->count; i++) {
        if (items[i] != NULL) {
            json_array_append_new(list, items[i]);
        }
    }
    append_rest(list, &rest);
    free(items);
    return list;
}

void left_behind_sum(const struct run *run, struct run_result *result)
{
    struct buffer text = {0};
    struct arena *arena = run->session->arena;
    not_carried_append_sum(run->status.not_carried, &text);
    result->not_carried = text.length > 0 ? arena_copy_string(arena, buffer_string(&text)) : NULL;
    buffer_clear(&text);
    if (result->not_carried != NULL &&
        json_tree_append(run->status.not_carried, JSON_COMPACT, &text)) {
        result->not_carried_list = arena_copy_string(arena, buffer_string(&text));
    }
    buffer_clear(&text);
    result->opened = rights_list_count(run->status.rights, true);
    result->unopened = rights_list_count(run->status.rights, false);
    result->kept_definers = rights_list_count_kept(run->status.rights);
    if (json_array_size(run->status.rights) > 0 &&
        json_tree_append(run->status.rights, JSON_COMPACT, &text)) {
        result->rights_list = arena_copy_string(arena, buffer_string(&text));
    }
    buffer_free(&text);
}
