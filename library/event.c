/* A line of the program's standard error as an event. */
#include "client.h"

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int64_t number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
}

/* An event of the log has a kind, an object of the progress has a phase. */
static void fill(struct transhume_event *event, const json_t *object)
{
    event->kind = text_of(object, "kind");
    event->level = text_of(object, "level");
    event->phase = event->kind == NULL ? text_of(object, "phase") : NULL;
    event->kind = event->kind == NULL && event->phase != NULL ? "progress" : event->kind;
    event->text = text_of(object, "text");
    event->code = text_of(object, "code");
    event->state = text_of(object, "state");
    event->table = text_of(object, "table");
    event->hint = text_of(object, "hint");
    event->count = number_of(object, "count");
    event->milliseconds = number_of(object, "milliseconds");
    event->done = number_of(object, "done");
    event->total = number_of(object, "total");
}

int client_report_line(const struct transhume_call *call, const char *line)
{
    struct transhume_event event = {.size = sizeof event,
                                    .count = -1,
                                    .milliseconds = -1,
                                    .done = -1,
                                    .total = -1,
                                    .json = line};
    if (call->on_event == NULL || line[0] == '\0') {
        return 0;
    }
    json_t *object = json_loads(line, 0, NULL);
    fill(&event, object);
    if (event.kind == NULL) {
        event.kind = "message";
        event.text = event.text == NULL ? line : event.text;
        event.json = object == NULL ? NULL : line;
    }
    int answer = call->on_event(call->context, &event);
    json_decref(object);
    return answer;
}
