/* Estimates of capacity and cost. */
#include "connectors/dynamodb/network/estimate.h"

#include "base/text.h"
#include "connectors/dynamodb/limits.h"
#include "connectors/dynamodb/network/source.h"
#include "connectors/dynamodb/network/whole.h"
#include <inttypes.h>
#include <string.h>

enum {
    READ_UNIT_BYTES = 4096,
    WRITE_UNIT_BYTES = 1024,
    STORED_EXTRA_BYTES = 100, /* that DynamoDB adds to each item it stores, in indexes too */
    NUMBER_BYTES = 32,
    TABLES_TOLD_MAX = 20
};

uint64_t dynamodb_estimate_read_milliunits(uint64_t bytes, bool consistent)
{
    uint64_t units = bytes / READ_UNIT_BYTES + (bytes % READ_UNIT_BYTES > 0);
    return units * (consistent ? 1000 : 500);
}

uint64_t dynamodb_estimate_write_units(uint64_t item_bytes)
{
    uint64_t units = item_bytes / WRITE_UNIT_BYTES + (item_bytes % WRITE_UNIT_BYTES > 0);
    return units > 0 ? units : 1;
}

static void append_dollars(struct buffer *out, uint64_t units, uint64_t nanodollars)
{
    double dollars = (double)units * (double)nanodollars / 1e9;
    buffer_format(out, "$%.*f", dollars < 0.01 ? 6 : 2, dollars);
}

/* How long a table of fixed capacity takes for it, unless a cap is lower. */
static void append_time(struct buffer *out, uint64_t units, uint64_t per_second)
{
    char text[NUMBER_BYTES];
    text_human_seconds((double)units / (double)per_second, text, sizeof(text));
    buffer_format(out, "; at %" PRIu64 " units a second %s", per_second, text);
}

static uint64_t lower_rate(uint64_t one, uint64_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

static void append_table(struct buffer *out, const struct dynamodb_network *network,
                         const struct dynamodb_description *table)
{
    char items[NUMBER_BYTES];
    char bytes[NUMBER_BYTES];
    char count[NUMBER_BYTES];
    uint64_t units =
        (dynamodb_estimate_read_milliunits(table->size_bytes, network->consistent) + 999) / 1000;
    uint64_t rate = lower_rate(network->read_units, table->on_demand ? 0 : table->read_units);
    text_human_count(table->item_count, items, sizeof(items));
    text_human_bytes(table->size_bytes, bytes, sizeof(bytes));
    text_human_count(units, count, sizeof(count));
    buffer_format(out, "%s: a Scan of %s items, %s takes about %s read unit%s", table->name, items,
                  bytes, count, units == 1 ? "" : "s");
    if (table->on_demand) {
        buffer_append_string(out, ", ");
        append_dollars(out, units, DYNAMODB_PRICE_READ_NANODOLLARS);
        buffer_append_string(out, " on demand (us-east-1, " DYNAMODB_PRICE_DATE ")");
    }
    if (rate > 0) {
        append_time(out, units, rate);
    }
    buffer_append_byte(out, '\n');
}

enum status dynamodb_estimate_read(struct database *self, struct buffer *out, struct error *error)
{
    struct dynamodb_source *source = NULL;
    const struct dynamodb_network *network = dynamodb_network_of(self);
    if (dynamodb_source_get(dynamodb_network_of(self), &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t told = 0;
    for (uint32_t at = 0; at < source->table_count; at++) {
        if (source->tables[at].size_bytes > 0 && atomic_load(&source->asked[at])) {
            told++;
            if (told <= TABLES_TOLD_MAX) {
                append_table(out, network, &source->tables[at]);
            }
        }
    }
    if (told > TABLES_TOLD_MAX) {
        buffer_format(out, "and %" PRIu32 " further tables\n", told - TABLES_TOLD_MAX);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- writing */

static bool has_field(const struct shape *shape, const struct cell *cells, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t at = 0; shape != NULL && at < shape->field_count; at++) {
        if (shape->fields[at].name_length == length &&
            memcmp(shape->fields[at].name, name, length) == 0) {
            return cells[at].kind != VALUE_MISSING;
        }
    }
    const struct cell *field = shape == NULL ? value_field(cells, name) : NULL;
    return field != NULL && field->kind != VALUE_MISSING;
}

/* An item without one of an index's key attributes is not in that index. */
static uint32_t indexes_with(const struct target_table *table, const struct shape *shape,
                             const struct cell *cells)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < table->index_count; at++) {
        bool inside = true;
        for (uint32_t key = 0; key < table->indexes[at].columns.count; key++) {
            inside = inside && has_field(shape, cells, table->indexes[at].columns.names[key]);
        }
        count += inside;
    }
    return count;
}

void dynamodb_estimate_add(struct database *self, const struct target_table *table,
                           const struct shape *shape, const struct cell *cells,
                           struct target_load *load)
{
    uint64_t bytes = dynamodb_limits_item_size(shape, cells);
    uint64_t times = 1 + (uint64_t)indexes_with(table, shape, cells);
    (void)self;
    load->records += 1;
    load->bytes += (double)((bytes + STORED_EXTRA_BYTES) * times);
    load->units += (double)(dynamodb_estimate_write_units(bytes) * times);
}

/* 0: on demand. What stands in AWS wins over what the plan would make. */
static enum status write_rate(struct dynamodb_network *network, const struct target_table *table,
                              const json_t *whole, struct arena *arena, uint64_t *rate,
                              bool *missing, struct error *error)
{
    struct dynamodb_description description;
    uint64_t read = 0;
    *rate = 0;
    /* check_table says what is wrong with a name that no table has */
    enum status status = dynamodb_limits_name_valid(table->name)
                             ? dynamodb_describe(network, table->name, arena, &description, error)
                             : STATUS_END;
    *missing = status == STATUS_END;
    if (status == STATUS_OK) {
        *rate = description.on_demand ? 0 : description.write_units;
    } else if (status == STATUS_END && table->billing == NULL) {
        *rate = dynamodb_whole_write_units(whole);
    } else if (status == STATUS_END && !dynamodb_limits_billing(table->billing, &read, rate)) {
        *rate = 0;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static void append_load(struct buffer *out, const struct dynamodb_network *network,
                        const struct target_table *table, const struct target_load *load,
                        uint64_t table_rate)
{
    char items[NUMBER_BYTES];
    char bytes[NUMBER_BYTES];
    char units[NUMBER_BYTES];
    uint64_t rate = lower_rate(network->keyed.room.capacity.units_per_second, table_rate);
    text_human_count((uint64_t)(load->records + 0.5), items, sizeof(items));
    text_human_bytes((uint64_t)(load->bytes + 0.5), bytes, sizeof(bytes));
    text_human_count((uint64_t)(load->units + 0.5), units, sizeof(units));
    buffer_format(out, "%s: %s items, %s%s, take about %s write units", table->name, items, bytes,
                  table->index_count > 0 ? " with their indexes" : "", units);
    if (table_rate == 0) {
        buffer_append_string(out, ", ");
        append_dollars(out, (uint64_t)(load->units + 0.5), DYNAMODB_PRICE_WRITE_NANODOLLARS);
        buffer_append_string(out, " on demand (us-east-1, " DYNAMODB_PRICE_DATE ")");
    }
    if (rate > 0) {
        append_time(out, (uint64_t)(load->units + 0.5), rate);
    }
    buffer_append_byte(out, '\n');
}

/* A table that is to be made like the source's: what it gets from there, and what it does not. */
static void append_whole(struct buffer *out, const struct target_table *table, const json_t *whole)
{
    struct buffer left = {0};
    buffer_format(out, "%s: made as the source's is: ", table->name);
    dynamodb_whole_append_told(whole, table->billing != NULL, out);
    dynamodb_whole_append_left(whole, &left);
    if (left.length > 0) {
        buffer_format(out, "; not carried: %s", buffer_string(&left));
    }
    buffer_append_byte(out, '\n');
    buffer_free(&left);
}

static enum status tell_table(struct dynamodb_network *network, const struct target_table *table,
                              const struct target_load *load, struct arena *arena, bool *copied,
                              struct buffer *out, struct error *error)
{
    json_t *whole = NULL;
    uint64_t rate = 0;
    bool missing = false;
    if (load->records <= 0 && table->settings == NULL) {
        return STATUS_OK;
    }
    enum status status = dynamodb_whole_read(table, &whole, error);
    if (status == STATUS_OK) {
        status = write_rate(network, table, whole, arena, &rate, &missing, error);
    }
    if (status == STATUS_OK && load->records > 0) {
        append_load(out, network, table, load, rate);
    }
    if (status == STATUS_OK && missing && whole != NULL) {
        append_whole(out, table, whole);
        *copied = true;
    }
    json_decref(whole);
    return status;
}

enum status dynamodb_estimate_write(struct database *self, const struct target_table *tables,
                                    const struct target_load *loads, uint32_t table_count,
                                    struct buffer *out, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct arena *arena = arena_create(0);
    bool copied = false;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; status == STATUS_OK && at < table_count; at++) {
        status = tell_table(network, &tables[at], &loads[at], arena, &copied, out, error);
    }
    if (copied) {
        buffer_append_string(out,
                             "autoscaling, backups, alarms and policies of the source's tables "
                             "are not looked at, nor carried\n");
    }
    arena_destroy(arena);
    return status;
}
