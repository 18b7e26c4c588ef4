/*
 * {"format":1,"old":"public","new":"public_007","ways":[{"operation":0,"text":"…","warning":null}],
 *  "steps":[{"phase":"expand","kind":"statement","operation":0,"title":"…","language":0,
 *            "text":"…","undo":"…","stands":null,"settings":null,"lock":2,
 *            "flags":"ajg"}]}
 *
 * flags: r rewrites, a alone, j joined, g again, h held, n with_note, o repeats, p prepares, s
 * said.
 */
#include "evolve/change/stored.h"

#include "model/json_tree.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <string.h>

enum { FORMAT = 1 };

static const char *const phases[CHANGE_PHASE_COUNT] = {
    [CHANGE_EXPAND] = "expand",
    [CHANGE_FILL] = "fill",
    [CHANGE_PROVE] = "prove",
    [CHANGE_OPEN] = "open",
    [CHANGE_SWITCH_READS] = "switch reads",
    [CHANGE_SWITCH_WRITES] = "switch writes",
    [CHANGE_CONTRACT] = "contract",
};
static const char *const kinds[CHANGE_STEP_KIND_COUNT] = {
    [CHANGE_STATEMENT] = "statement", [CHANGE_BATCHES] = "batches"};

const char *change_phase_name(enum change_phase phase)
{
    return phases[phase];
}

/* ---------------------------------------------------------------- writing */

static void append_text(struct buffer *out, const char *key, const char *text)
{
    buffer_format(out, ",\"%s\":", key);
    if (text == NULL) {
        buffer_append_string(out, "null");
    } else {
        json_append_string(out, text, strlen(text));
    }
}

static void append_step(const struct change_step *step, struct buffer *out)
{
    buffer_format(out,
                  "{\"phase\":\"%s\",\"kind\":\"%s\",\"operation\":%" PRIu32
                  ",\"language\":%d,\"lock\":%d,\"flags\":\"%s%s%s%s%s%s%s%s%s\"",
                  phases[step->phase], kinds[step->kind], step->operation, (int)step->language,
                  (int)step->lock, step->rewrites ? "r" : "", step->alone ? "a" : "",
                  step->joined ? "j" : "", step->again ? "g" : "", step->held ? "h" : "",
                  step->with_note ? "n" : "", step->repeats ? "o" : "", step->prepares ? "p" : "",
                  step->said ? "s" : "");
    append_text(out, "title", step->title);
    append_text(out, "text", step->text);
    append_text(out, "undo", step->undo);
    append_text(out, "stands", step->stands);
    append_text(out, "settings", step->settings);
    buffer_append_byte(out, '}');
}

void change_plan_write(const struct change_plan *plan, struct buffer *out)
{
    buffer_format(out, "{\"format\":%d", (int)FORMAT);
    append_text(out, "old", plan->old_place);
    append_text(out, "new", plan->new_place);
    buffer_append_string(out, ",\"ways\":[");
    for (uint32_t i = 0; i < plan->way_count; i++) {
        const struct change_way *way = &plan->ways[i];
        buffer_format(out, "%s{\"operation\":%" PRIu32, i > 0 ? "," : "", way->operation);
        append_text(out, "text", way->text);
        append_text(out, "warning", way->warning);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "],\"steps\":[");
    for (uint32_t i = 0; i < plan->count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        append_step(&plan->steps[i], out);
    }
    buffer_append_string(out, "]}");
}

/* ---------------------------------------------------------------- reading */

struct reading {
    struct arena *arena;
    bool damaged;
};

static const char *text_of(struct reading *reading, const json_t *map, const char *key)
{
    const json_t *value = json_object_get(map, key);
    if (json_is_string(value)) {
        return arena_copy(reading->arena, json_string_value(value), json_string_length(value));
    }
    reading->damaged = reading->damaged || !json_is_null(value);
    return NULL;
}

static const char *needed_text_of(struct reading *reading, const json_t *map, const char *key)
{
    const char *text = text_of(reading, map, key);
    reading->damaged = reading->damaged || text == NULL;
    return text != NULL ? text : "";
}

static uint32_t number_of(struct reading *reading, const json_t *map, const char *key,
                          uint32_t most)
{
    json_int_t number = json_integer_value(json_object_get(map, key));
    if (number < 0 || number > most || !json_is_integer(json_object_get(map, key))) {
        reading->damaged = true;
        return 0;
    }
    return (uint32_t)number;
}

static uint32_t word_of(struct reading *reading, const json_t *map, const char *key,
                        const char *const *words, uint32_t count)
{
    const char *word = needed_text_of(reading, map, key);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            return i;
        }
    }
    reading->damaged = true;
    return 0;
}

static void read_step(struct reading *reading, const json_t *map, struct change_step *step)
{
    const char *flags = needed_text_of(reading, map, "flags");
    *step = (struct change_step){
        .phase = (enum change_phase)word_of(reading, map, "phase", phases, CHANGE_PHASE_COUNT),
        .kind = (enum change_step_kind)word_of(reading, map, "kind", kinds, CHANGE_STEP_KIND_COUNT),
        .operation = number_of(reading, map, "operation", UINT32_MAX),
        .title = needed_text_of(reading, map, "title"),
        .language =
            (enum alter_language)number_of(reading, map, "language", ALTER_LANGUAGE_COUNT - 1),
        .text = needed_text_of(reading, map, "text"),
        .undo = text_of(reading, map, "undo"),
        .stands = text_of(reading, map, "stands"),
        .settings = text_of(reading, map, "settings"),
        .lock = (enum alter_lock)number_of(reading, map, "lock", ALTER_LOCK_ALL),
        .rewrites = strchr(flags, 'r') != NULL,
        .alone = strchr(flags, 'a') != NULL,
        .joined = strchr(flags, 'j') != NULL,
        .again = strchr(flags, 'g') != NULL,
        .held = strchr(flags, 'h') != NULL,
        .with_note = strchr(flags, 'n') != NULL,
        .repeats = strchr(flags, 'o') != NULL,
        .prepares = strchr(flags, 'p') != NULL,
        .said = strchr(flags, 's') != NULL};
}

static void read_steps(struct reading *reading, const json_t *list, struct change_plan *plan)
{
    size_t count = json_array_size(list);
    struct change_step *steps = arena_allocate_zeroed(reading->arena, count + 1, sizeof(*steps));
    for (size_t i = 0; i < count; i++) {
        read_step(reading, json_array_get(list, i), &steps[i]);
        reading->damaged = reading->damaged || (i > 0 && steps[i].phase < steps[i - 1].phase);
    }
    plan->steps = steps;
    plan->count = (uint32_t)count;
}

static void read_ways(struct reading *reading, const json_t *list, struct change_plan *plan)
{
    size_t count = json_array_size(list);
    struct change_way *ways = arena_allocate_zeroed(reading->arena, count + 1, sizeof(*ways));
    for (size_t i = 0; i < count; i++) {
        const json_t *map = json_array_get(list, i);
        ways[i].operation = number_of(reading, map, "operation", UINT32_MAX);
        ways[i].text = needed_text_of(reading, map, "text");
        ways[i].warning = text_of(reading, map, "warning");
    }
    plan->ways = ways;
    plan->way_count = (uint32_t)count;
}

enum status change_plan_read(const char *text, struct arena *arena, struct change_plan *plan,
                             struct error *error)
{
    static const char object[] = "the change's steps in the history";
    struct reading reading = {.arena = arena};
    json_t *tree = NULL;
    *plan = (struct change_plan){0};
    if (json_tree_parse(text, strlen(text), 0, object, ERROR_LEDGER_INVALID, &tree, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t format = number_of(&reading, tree, "format", UINT32_MAX);
    if (format > FORMAT) {
        json_decref(tree);
        error_set(error, ERROR_FORMAT_NEWER, object, "they have format %" PRIu32, format);
        return error_hint(error, "Use the version of transhume that started the change.");
    }
    plan->old_place = text_of(&reading, tree, "old");
    plan->new_place = text_of(&reading, tree, "new");
    read_ways(&reading, json_object_get(tree, "ways"), plan);
    read_steps(&reading, json_object_get(tree, "steps"), plan);
    json_decref(tree);
    return reading.damaged ? error_set(error, ERROR_LEDGER_INVALID, object, "they are damaged")
                           : STATUS_OK;
}
