/* Steps of a plan as DynamoDB's Query and Scan. */
#include "design/prove/prove_parts.h"

#include "model/convert.h"
#include "model/json_writer.h"
#include <string.h>

enum { SHARDS_MAX = 200, NUMBER_DIGITS = 19 };

struct request {
    const struct export_table *table;
    const struct export_index *index; /* NULL: the table itself */
    const struct access_step *step;
    const struct cell *row;
    uint32_t shard;
};

/* ---------------------------------------------------------------- values of keys */

static const struct cell *known(const struct prove_running *running, const struct request *request,
                                const struct export_attribute *attribute)
{
    return prove_known(
        running, request->row,
        places_under(running->target->places, request->step->path, attribute->place));
}

/* As it stands in a key: times with a T, of a sort key whole numbers with zeros before them. A text
 * that only looks like a time stays as it is. */
static enum status append_part(const struct cell *cell, bool is_time, bool is_padded,
                               struct buffer *out, struct error *error)
{
    struct buffer text = {0};
    enum status status = convert_append_text(cell, true, &text, error);
    if (status == STATUS_OK && is_time && text.length > 10 && text.data[10] == ' ') {
        text.data[10] = 'T';
    }
    if (status == STATUS_OK && is_padded && text.length < NUMBER_DIGITS) {
        buffer_format(out, "%0*d", (int)(NUMBER_DIGITS - text.length), 0);
    }
    if (status == STATUS_OK) {
        buffer_append(out, text.data, text.length);
    }
    buffer_free(&text);
    return status;
}

/* What of an attribute is known: all of it, its beginning, or nothing. */
struct key_text {
    struct buffer text;
    bool any;
    bool whole;
};

static bool is_padded(const struct prove_running *running, const struct export_attribute *attribute,
                      const struct export_attribute *part)
{
    enum value_kind kind = places_field(running->target->places, part->place)->type.kind;
    return attribute->ordered && (kind == VALUE_INT64 || kind == VALUE_UINT64);
}

static enum status make_text(const struct prove_running *running, const struct request *request,
                             const struct export_attribute *attribute, struct key_text *key,
                             struct error *error)
{
    uint32_t count = attribute->place != GRAPH_NONE ? 1 : attribute->part_count;
    key->whole = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct export_attribute *part =
            attribute->place != GRAPH_NONE ? attribute
                                           : &request->table->attributes[attribute->parts[i]];
        const struct cell *cell = known(running, request, part);
        if (cell == NULL || cell->kind == VALUE_NULL) {
            key->whole = false;
            return STATUS_OK;
        }
        buffer_append_string(&key->text, i > 0 ? "#" : "");
        bool padded = attribute->place == GRAPH_NONE && is_padded(running, attribute, part);
        bool is_time =
            places_field(running->target->places, part->place)->type.kind == VALUE_TIMESTAMP;
        if (append_part(cell, is_time, padded, &key->text, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        key->any = true;
    }
    if (attribute->bucket_sql != NULL) {
        buffer_format(&key->text, "%s%u", count > 0 ? "#" : "", request->shard);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- requests */

static void append_value(const char *name, const struct export_attribute *attribute,
                         const char *text, struct buffer *out)
{
    buffer_format(out, "\"%s\":{\"%s\":", name, attribute->type);
    json_append_string(out, text, strlen(text));
    buffer_append_byte(out, '}');
}

static void append_names(const struct export_attribute *partition,
                         const struct export_attribute *sort, struct buffer *out)
{
    buffer_append_string(out, ",\"ExpressionAttributeNames\":{\"#p\":");
    json_append_string(out, partition->name, strlen(partition->name));
    if (sort != NULL) {
        buffer_append_string(out, ",\"#s\":");
        json_append_string(out, sort->name, strlen(sort->name));
    }
    buffer_append_string(out, "}");
}

static void append_query(const struct request *request, const struct export_attribute *partition,
                         struct key_text *partition_text, const struct export_attribute *sort,
                         struct key_text *sort_text, struct buffer *out)
{
    bool sorted = sort != NULL && sort_text->any;
    const char *condition = !sorted ? "#p = :p"
                            : sort_text->whole || sort->type[0] != 'S'
                                ? "#p = :p AND #s = :s"
                                : "#p = :p AND begins_with(#s, :s)";
    buffer_append_string(out, "{\"TableName\":");
    json_append_string(out, request->table->name, strlen(request->table->name));
    if (request->index != NULL) {
        buffer_append_string(out, ",\"IndexName\":");
        json_append_string(out, request->index->name, strlen(request->index->name));
    }
    if (request->step->scans) {
        buffer_append_byte(out, '}');
        return;
    }
    buffer_format(out, ",\"KeyConditionExpression\":\"%s\"", condition);
    append_names(partition, sorted ? sort : NULL, out);
    buffer_append_string(out, ",\"ExpressionAttributeValues\":{");
    append_value(":p", partition, buffer_string(&partition_text->text), out);
    if (sorted) {
        buffer_append_byte(out, ',');
        append_value(":s", sort, buffer_string(&sort_text->text), out);
    }
    buffer_append_string(out, "}}");
}

/* ---------------------------------------------------------------- items */

static const struct cell *member(const struct cell *item, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t i = 0; i < item->length; i++) {
        const struct cell *key = &item->items[2 * (size_t)i];
        if (key->length == length && memcmp(key->text, name, length) == 0) {
            return key + 1;
        }
    }
    return NULL;
}

static bool is_projected(const struct request *request, uint32_t place)
{
    return request->index == NULL || request->index->projection == EXPORT_ALL ||
           place_set_holds(request->index->fields, place);
}

static void merge(const struct prove_running *running, const struct request *request,
                  const struct cell *item, struct cell *merged)
{
    for (uint32_t i = 0; i < running->column_count; i++) {
        merged[i] = request->row != NULL ? request->row[i] : cell_missing();
    }
    for (uint32_t i = 0; i < request->table->attribute_count; i++) {
        const struct export_attribute *attribute = &request->table->attributes[i];
        if (attribute->place == GRAPH_NONE || !is_projected(request, attribute->place)) {
            continue;
        }
        uint32_t column = prove_column_at(
            running, places_under(running->target->places, request->step->path, attribute->place));
        const struct cell *value = member(item, attribute->name);
        if (column != GRAPH_NONE) {
            merged[column] = value != NULL ? *value : cell_null();
        }
    }
}

static enum status ask(const struct prove_running *running, const struct request *request,
                       struct prove_rows *out, struct error *error)
{
    struct export_key key = request->index != NULL ? request->index->key : request->table->key;
    const struct export_attribute *partition = &request->table->attributes[key.partition];
    const struct export_attribute *sort =
        key.sort != GRAPH_NONE ? &request->table->attributes[key.sort] : NULL;
    struct key_text texts[2] = {0};
    struct buffer query = {0};
    struct prove_rows items = {0};
    enum status status = make_text(running, request, partition, &texts[0], error);
    if (status == STATUS_OK && sort != NULL) {
        status = make_text(running, request, sort, &texts[1], error);
    }
    if (status == STATUS_OK && (texts[0].whole || request->step->scans)) {
        append_query(request, partition, &texts[0], sort, &texts[1], &query);
        status = prove_ask_documents(&running->target->side, buffer_string(&query),
                                     running->rows_max, running->arena, &items, error);
    }
    for (uint32_t i = 0; i < items.count && status == STATUS_OK; i++) {
        merge(running, request, prove_row(&items, i), prove_rows_add(out, running->arena));
    }
    buffer_free(&texts[0].text);
    buffer_free(&texts[1].text);
    buffer_free(&query);
    return status;
}

enum status prove_ask_dynamodb(const struct prove_running *running, const struct access_step *step,
                               const struct cell *row, struct prove_rows *out, struct error *error)
{
    struct request request = {.step = step, .row = row};
    uint32_t shards = running->target->pool->families[step->family].buckets;
    request.table = export_table_of(running->target->dynamodb, step->family, &request.index);
    if (shards > SHARDS_MAX) {
        return error_set(error, ERROR_USAGE, request.table->name,
                         "has %u shards, more than a proof asks one by one", shards);
    }
    for (; request.shard < (step->scans ? 1 : shards); request.shard++) {
        if (ask(running, &request, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
