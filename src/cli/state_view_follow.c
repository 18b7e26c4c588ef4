/* The part of `status` that is about a run that follows. */
#include "cli/cli.h"
#include "cli/state_view.h"
#include "observe/follow_words.h"
#include "observe/table.h"
#include <unistd.h>

static void add_line(void *context, const char *label, const char *text)
{
    buffer_format(context, "%-9s%s\n", label, text);
}

void state_view_append_follow(const json_t *state, bool color, struct buffer *out)
{
    static const char *const titles[] = {"entity",   ">inserts",   ">updates",
                                         ">deletes", ">truncates", NULL};
    const char *name;
    json_t *entity;
    const json_t *follow = json_object_get(state, "follow");
    if (!json_is_object(follow)) {
        return;
    }
    struct table *table = table_create(titles);
    buffer_append_byte(out, '\n');
    follow_words_each(follow, add_line, out);
    json_object_foreach(json_object_get(follow, "operations"), name, entity)
    {
        uint64_t counts[FOLLOW_OPERATIONS];
        follow_words_operations(entity, counts);
        table_add_text(table, name);
        for (int i = 0; i < FOLLOW_OPERATIONS; i++) {
            table_add_count(table, (int64_t)counts[i]);
        }
    }
    buffer_append_byte(out, '\n');
    table_fit(table, cli_terminal_columns(STDOUT_FILENO));
    table_append(table, color, out);
    table_destroy(table);
}
