/* Steps of a plan as DynamoDB's Query and Scan. */
#include "design/prove/prove_parts.h"

#include "design/export/export_key.h"
#include "model/convert.h"
#include "model/json_writer.h"
#include <string.h>

enum { SHARDS_MAX = 200 };

/* The last character: above all others in a key. */
static const char last_text[] = "\xf4\x8f\xbf\xbf";

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

/* The known part of an attribute: all of it, its beginning up to a range, or nothing. */
struct key_text {
    struct buffer text;
    struct buffer high; /* of a range, which begins at `text` */
    bool any;
    bool whole;
    bool ranged;
};

static void key_text_free(struct key_text *key)
{
    buffer_free(&key->text);
    buffer_free(&key->high);
}

static const struct export_attribute *
part_of(const struct request *request, const struct export_attribute *attribute, uint32_t number)
{
    return attribute->place != GRAPH_NONE ? attribute
                                          : &request->table->attributes[attribute->parts[number]];
}

static uint32_t count_parts(const struct export_attribute *attribute)
{
    return attribute->place != GRAPH_NONE ? 1 : attribute->part_count;
}

/* As the plan writes it: times with a T; in a key of several parts with zeros before it, or
 * escaped. A text that only looks like a time stays as it is. */
static enum status append_cell(const struct prove_running *running, const struct request *request,
                               const struct cell *cell, const struct export_attribute *attribute,
                               uint32_t number, struct buffer *out, struct error *error)
{
    const struct export_dynamodb *design = running->target->dynamodb;
    const struct export_attribute *part = part_of(request, attribute, number);
    bool is_made = attribute->place == GRAPH_NONE;
    struct buffer text = {0};
    enum status status = convert_append_text(cell, true, &text, error);
    bool is_time = places_field(running->target->places, part->place)->type.kind == VALUE_TIMESTAMP;
    if (status == STATUS_OK && is_time && text.length > 10 && text.data[10] == ' ') {
        text.data[10] = 'T';
    }
    if (status == STATUS_OK) {
        export_key_append_text(
            buffer_string(&text), text.length,
            is_made ? export_key_digits(design, attribute, part) : 0,
            is_made && export_part_is_escaped(design, request->table, attribute, number), out);
    }
    buffer_free(&text);
    return status;
}

/* One bound: of a key of several parts all texts that begin with it lie on the same side of it. */
static enum status append_bound(const struct prove_running *running, const struct request *request,
                                const struct export_attribute *attribute, uint32_t number,
                                bool is_high, struct buffer *out, struct error *error)
{
    bool is_last = number + 1 == count_parts(attribute);
    const struct prove_given *given = running->given;
    const char *test = is_high ? query_high_test(running->query) : query_low_test(running->query);
    if (test == NULL) {
        buffer_append_string(out, is_high && attribute->place == GRAPH_NONE ? last_text : "");
        return STATUS_OK;
    }
    enum status status = append_cell(running, request, is_high ? given->high : given->low,
                                     attribute, number, out, error);
    if (status == STATUS_OK && is_high && !is_last) {
        buffer_format(out, "#%s", last_text);
    }
    return status;
}

/* The range, if it is the next of a sort key's parts; what its bounds leave out is for the client.
 */
static enum status append_range(const struct prove_running *running, const struct request *request,
                                const struct export_attribute *attribute, uint32_t number,
                                struct key_text *key, struct error *error)
{
    const struct export_attribute *part = part_of(request, attribute, number);
    uint32_t place = places_under(running->target->places, request->step->path, part->place);
    if (running->given->low == NULL || place != running->query->range ||
        request->step->query == NULL) {
        return STATUS_OK;
    }
    key->ranged = true;
    key->any = true;
    buffer_append_buffer(&key->high, &key->text);
    return append_bound(running, request, attribute, number, false, &key->text, error) == STATUS_OK
               ? append_bound(running, request, attribute, number, true, &key->high, error)
               : STATUS_FAILED;
}

static enum status make_text(const struct prove_running *running, const struct request *request,
                             const struct export_attribute *attribute, bool is_sort,
                             struct key_text *key, struct error *error)
{
    uint32_t count = count_parts(attribute);
    key->whole = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct export_attribute *part = part_of(request, attribute, i);
        const struct cell *cell = known(running, request, part);
        buffer_append_string(&key->text, i > 0 ? "#" : "");
        if (cell == NULL || cell->kind == VALUE_NULL) {
            key->whole = false;
            return cell == NULL && is_sort
                       ? append_range(running, request, attribute, i, key, error)
                       : STATUS_OK;
        }
        if (append_cell(running, request, cell, attribute, i, &key->text, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        key->any = true;
    }
    if (attribute->bucket_sql != NULL) {
        buffer_format(&key->text, "%s%u", count > 0 ? "#" : "", request->shard);
    }
    return STATUS_OK;
}

/* The places of the key that requests are given, as far as they are known. */
static uint32_t list_places(const struct prove_running *running, const struct request *request,
                            const struct export_attribute *attribute, uint32_t *places)
{
    uint32_t count = 0;
    for (uint32_t i = 0; attribute != NULL && i < count_parts(attribute); i++) {
        const struct export_attribute *part = part_of(request, attribute, i);
        if (known(running, request, part) == NULL) {
            return count;
        }
        places[count++] = places_under(running->target->places, request->step->path, part->place);
    }
    return count;
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
    bool has_low = sort_text->text.length > 0;
    bool has_high = sort_text->ranged && sort_text->high.length > 0;
    const char *condition = !sorted               ? "#p = :p"
                            : has_low && has_high ? "#p = :p AND #s BETWEEN :s AND :t"
                            : has_high            ? "#p = :p AND #s <= :t"
                            : sort_text->ranged   ? "#p = :p AND #s >= :s"
                            : sort_text->whole || sort->type[0] != 'S'
                                ? "#p = :p AND #s = :s"
                                : "#p = :p AND begins_with(#s, :s)";
    bool backwards = request->step->ordered && request->step->query->order[0].descending;
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
    if (sorted && has_low) {
        buffer_append_byte(out, ',');
        append_value(":s", sort, buffer_string(&sort_text->text), out);
    }
    if (sorted && has_high) {
        buffer_append_byte(out, ',');
        append_value(":t", sort, buffer_string(&sort_text->high), out);
    }
    buffer_append_string(out, backwards ? "},\"ScanIndexForward\":false}" : "}}");
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

static void target_dynamodb_merge(const struct prove_running *running,
                                  const struct request *request, const struct cell *item,
                                  struct cell *merged)
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

/* Does the client drop rows at the bounds of a range? */
static bool leaves_out(const struct prove_running *running, const struct key_text *sort)
{
    const char *low = query_low_test(running->query);
    const char *high = query_high_test(running->query);
    return sort->ranged &&
           ((low != NULL && strcmp(low, ">") == 0) || (high != NULL && strcmp(high, "<") == 0));
}

static enum status target_dynamodb_ask(const struct prove_running *running,
                                       const struct request *request,
                                       const struct export_attribute *partition,
                                       const struct export_attribute *sort, struct prove_rows *out,
                                       struct error *error)
{
    struct key_text texts[2] = {0};
    struct buffer query = {0};
    struct prove_rows items = {0};
    enum status status = make_text(running, request, partition, false, &texts[0], error);
    if (status == STATUS_OK && sort != NULL) {
        status = make_text(running, request, sort, true, &texts[1], error);
    }
    if (status == STATUS_OK && (texts[0].whole || request->step->scans)) {
        append_query(request, partition, &texts[0], sort, &texts[1], &query);
        uint32_t rows_max = leaves_out(running, &texts[1])
                                ? running->rows_max
                                : prove_request_rows(running, request->step);
        status = prove_ask_documents(&running->target->side, buffer_string(&query), rows_max,
                                     running->arena, &items, error);
    }
    for (uint32_t i = 0; i < items.count && status == STATUS_OK; i++) {
        target_dynamodb_merge(running, request, prove_row(&items, i),
                              prove_rows_add(out, running->arena));
    }
    key_text_free(&texts[0]);
    key_text_free(&texts[1]);
    buffer_free(&query);
    return status;
}

/* Each combination of values of the key is a request, of each shard. */
static enum status ask_all(const struct prove_running *running, struct request *request,
                           uint32_t shards, struct prove_rows *out, struct error *error)
{
    struct export_key key = request->index != NULL ? request->index->key : request->table->key;
    const struct export_attribute *partition = &request->table->attributes[key.partition];
    const struct export_attribute *sort =
        key.sort != GRAPH_NONE ? &request->table->attributes[key.sort] : NULL;
    uint32_t room = count_parts(partition) + (sort != NULL ? count_parts(sort) : 0) + 1;
    uint32_t *places = arena_allocate_zeroed(running->arena, room, sizeof(*places));
    uint32_t count = list_places(running, request, partition, places);
    count += list_places(running, request, sort, places + count);
    enum status status = STATUS_OK;
    do {
        for (request->shard = 0; request->shard < shards && status == STATUS_OK; request->shard++) {
            status = target_dynamodb_ask(running, request, partition, sort, out, error);
        }
    } while (status == STATUS_OK && !request->step->scans &&
             prove_choose_next(running, request->row, places, count));
    return status;
}

enum status prove_ask_dynamodb(const struct prove_running *running, const struct access_step *step,
                               const struct cell *row, struct prove_rows *out, struct error *error)
{
    struct request request = {.step = step, .row = row};
    uint32_t shards = step->scans ? 1 : running->target->pool->families[step->family].buckets;
    request.table = export_table_of(running->target->dynamodb, step->family, &request.index);
    if (shards > SHARDS_MAX) {
        return error_set(error, ERROR_USAGE, request.table->name,
                         "has %u shards, more than a proof asks one by one", shards);
    }
    return ask_all(running, &request, shards, out, error);
}
