/* The way back of a run, read from the state folders of both. */
#include "cli/way_back.h"

#include "base/arena.h"
#include "base/file.h"
#include "model/json_tree.h"
#include <string.h>

enum { STATE_BYTES_MAX = 64 << 20 };

/* How far a run is, by its state.json. */
struct told {
    bool is_there;
    bool is_completed;
    bool is_cut_over;
    const char *started; /* a stamp, by whose text times are ordered */
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static struct told read_state(struct arena *arena, const char *folder)
{
    struct error ignored = {0};
    struct told told = {.started = ""};
    char *text;
    size_t length;
    if (file_read_all(file_join(arena, folder, "state.json"), STATE_BYTES_MAX, arena, &text,
                      &length, &ignored) != STATUS_OK) {
        return told;
    }
    json_t *state = json_tree_load(text, length, 0, NULL);
    const json_t *follow = json_object_get(state, "follow");
    told.is_there = state != NULL;
    told.started = arena_copy_string(arena, text_of(state, "started_at"));
    told.is_completed = strcmp(text_of(state, "status"), "completed") == 0;
    told.is_cut_over = told.is_completed && strcmp(text_of(follow, "cut_over"), "done") == 0;
    json_decref(state);
    return told;
}

enum way_back way_back_look(const char *state_folder)
{
    struct arena *arena = arena_create(0);
    struct told run = read_state(arena, state_folder);
    struct told back = read_state(arena, file_join(arena, state_folder, "back"));
    if (strcmp(back.started, run.started) < 0) {
        back = (struct told){.started = ""}; /* that of an earlier run of this folder */
    }
    arena_destroy(arena);
    return !run.is_cut_over                      ? WAY_BACK_NOT_CUT_OVER
           : back.is_cut_over                    ? WAY_BACK_TAKEN
           : back.is_there && !back.is_completed ? WAY_BACK_OPEN
                                                 : WAY_BACK_NONE;
}

void way_back_describe(const char *state_folder, enum way_back found, struct buffer *out)
{
    switch (found) {
    case WAY_BACK_NOT_CUT_OVER:
        break;
    case WAY_BACK_NONE:
        buffer_append_string(out, "the cut-over is done: the target is the database");
        break;
    case WAY_BACK_OPEN:
        buffer_format(out,
                      "the cut-over is done: the target is the database, `transhume follow --state "
                      "%s/back` feeds the former source, and `transhume cutover --back --confirm` "
                      "returns to it",
                      state_folder);
        break;
    case WAY_BACK_TAKEN:
        buffer_append_string(out, "the cut-over was taken back: the source is the database again, "
                                  "and what is written to it does not come to the target");
        break;
    }
}

const char *way_back_name(enum way_back found)
{
    return found == WAY_BACK_TAKEN ? "taken" : found == WAY_BACK_OPEN ? "open" : NULL;
}

enum status way_back_refuse(const char *state_folder, struct error *error)
{
    if (way_back_look(state_folder) != WAY_BACK_TAKEN) {
        return STATUS_OK;
    }
    struct buffer words = {0};
    way_back_describe(state_folder, WAY_BACK_TAKEN, &words);
    error_set(error, ERROR_CUT_OVER, state_folder, "%s", buffer_string(&words));
    buffer_free(&words);
    return error_hint(error, "this run is over: to try again drop the tables in the target, which "
                             "are closed for writers, and `transhume migrate --follow SOURCE "
                             "TARGET`");
}
