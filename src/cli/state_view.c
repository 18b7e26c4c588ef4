/*
 * state.json as a table. Read without trust: members that are absent or of another type are shown
 * as unknown, since people and scripts may have touched the file.
 */
#include "cli/state_view.h"

#include "base/clock.h"
#include "base/text.h"
#include "observe/table.h"
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

/* -1: not a number */
static int64_t count_of(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);
    return json_is_integer(number) && json_integer_value(number) >= 0 ? json_integer_value(number)
                                                                      : -1;
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);
    return json_is_number(number) && json_number_value(number) >= 0 ? json_number_value(number)
                                                                    : -1;
}

static void add_percent(struct table *table, int64_t done, int64_t total)
{
    if (done < 0 || total < 0) {
        table_add(table, "?");
    } else if (done >= total) {
        table_add(table, "100.0%");
    } else {
        unsigned tenths = (unsigned)((double)done / (double)total * 1000);
        table_format(table, "%u.%u%%", tenths / 10, tenths % 10);
    }
}

static void add_rate(struct table *table, double rate)
{
    char text[32];
    if (rate < 0) {
        table_add(table, "");
        return;
    }
    text_human_count((uint64_t)(rate + 0.5), text, sizeof(text));
    table_format(table, "%s/s", text);
}

static void add_left(struct table *table, int64_t done, int64_t total, double rate, bool running)
{
    char text[32] = "";
    if (running && rate > 0 && done >= 0 && total > done) {
        text_human_seconds((double)(total - done) / rate, text, sizeof(text));
    }
    table_add(table, text);
}

struct sums {
    int64_t total; /* -1 once one is not known */
    int64_t done;
    double rate;
};

static void add_entity(struct table *table, const char *table_name, const char *name,
                       const json_t *entity, bool running, struct sums *sums)
{
    int64_t total = count_of(entity, "total");
    int64_t done = count_of(entity, "migrated");
    double rate = number_of(entity, "records_per_second");
    table_add(table, table_name);
    table_add(table, name);
    table_add_count(table, done);
    table_add_count(table, total);
    add_percent(table, done, total);
    add_rate(table, rate);
    add_left(table, done, total, rate, running);
    table_add(table, text_of(entity, "last_id"));
    sums->total = sums->total < 0 || total < 0 ? -1 : sums->total + total;
    sums->done += done < 0 ? 0 : done;
    sums->rate += rate < 0 ? 0 : rate;
}

static void add_sums(struct table *table, const struct sums *sums, bool running)
{
    table_rule(table);
    table_add(table, "total");
    table_add(table, "");
    table_add_count(table, sums->done);
    table_add_count(table, sums->total);
    add_percent(table, sums->done, sums->total);
    add_rate(table, sums->rate);
    add_left(table, sums->done, sums->total, sums->rate, running);
    table_add(table, "");
}

static void append_tables(json_t *state, bool running, bool color, struct buffer *out)
{
    static const char *const titles[] = {"table", "entity", ">done", ">total", ">%",
                                         ">rate", ">left",  "last",  NULL};
    struct table *table = table_create(titles);
    struct sums sums = {0};
    const char *table_name;
    const char *entity_name;
    json_t *table_object;
    json_t *entity;
    json_object_foreach(json_object_get(state, "tables"), table_name, table_object)
    {
        json_object_foreach(json_object_get(table_object, "entities"), entity_name, entity)
        {
            add_entity(table, table_name, entity_name, entity, running, &sums);
        }
    }
    add_sums(table, &sums, running);
    table_append(table, color, out);
    table_destroy(table);
}
