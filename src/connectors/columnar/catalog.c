/* A source's tables: the columns of all of its files, and where their groups of rows are. */
#include "connectors/columnar/columnar.h"

#include "base/name_index.h"
#include "base/text.h"
#include "connectors/folder/folder_sidecar.h"
#include <inttypes.h>
#include <string.h>

enum { UINT64_DIGITS = 20 };

/* Facts about one file of a source's table. */
struct file_facts {
    uint64_t rows;
    uint32_t group_count;
    uint64_t *group_begins; /* places, rising */
};
struct folder_table_data {
    struct file_facts *files;
    const char *told; /* what is to be said before a run, lines; NULL: nothing */
};

/* A column while the files are looked at. */
struct merged {
    const char *name;
    struct value_type type;
    bool not_null;
    uint32_t files;    /* that have it */
    const char *first; /* of these */
    uint32_t last;     /* 1 + the number of the last one of these */
};

struct merging {
    const struct folder_table *table;
    struct arena *arena;
    struct merged *columns;
    uint32_t count;
    uint32_t capacity;
    struct name_index names;
    uint64_t rows;
};

/* ---------------------------------------------------------------- one type of two */

static void merge_decimal(struct value_type *into, const struct value_type *from)
{
    int32_t whole = into->precision - into->scale;
    int32_t other = from->precision - from->scale;
    int32_t scale = into->scale > from->scale ? into->scale : from->scale;
    into->precision = (whole > other ? whole : other) + scale;
    into->scale = scale;
}

static bool is_integer(const struct value_type *type)
{
    return type->kind == VALUE_INT64 || type->kind == VALUE_UINT64;
}

static bool is_float(const struct value_type *type)
{
    return type->kind == VALUE_FLOAT32 || type->kind == VALUE_FLOAT64;
}

/* The type that holds every value of both, exactly. False: there is none. */
static bool merge_types(struct value_type *into, const struct value_type *from)
{
    if (is_integer(into) && is_integer(from)) {
        bool narrow = into->bits > 0 && from->bits > 0;
        if (into->kind != from->kind) {
            *into = (struct value_type){.kind = VALUE_DECIMAL, .precision = UINT64_DIGITS};
        } else {
            into->bits = !narrow ? 0 : into->bits > from->bits ? into->bits : from->bits;
        }
        return true;
    }
    if (is_float(into) && is_float(from)) {
        into->kind = into->kind == from->kind ? into->kind : VALUE_FLOAT64;
        return true;
    }
    if (into->kind != from->kind || into->zoned != from->zoned) {
        return false;
    }
    if (into->kind == VALUE_DECIMAL) {
        merge_decimal(into, from);
    }
    into->fraction = into->fraction > from->fraction ? into->fraction : from->fraction;
    return true;
}

/* ---------------------------------------------------------------- the columns of all files */

static struct merged *add_column(struct merging *merging, const struct columnar_column *node,
                                 uint32_t file, const char *file_name)
{
    merging->columns = arena_make_room(merging->arena, merging->columns, merging->count,
                                       &merging->capacity, sizeof *merging->columns);
    struct merged *column = &merging->columns[merging->count++];
    *column = (struct merged){.name = node->name,
                              .type = node->type,
                              .not_null = node->not_null && file == 0,
                              .first = file_name};
    return column;
}

static enum status refuse_types(const struct merging *merging, const struct merged *column,
                                const struct columnar_column *node, const char *file_name,
                                struct error *error)
{
    char name[96];
    text_printable(column->name, strlen(column->name), name, sizeof(name));
    error_set(error, ERROR_SOURCE_INVALID, merging->table->name,
              "column %s is %s%s in %s, and %s%s in %s", name, value_kind_name(column->type.kind),
              column->type.zoned ? " with a zone" : "", column->first,
              value_kind_name(node->type.kind), node->type.zoned ? " with a zone" : "", file_name);
    return error_hint(error, "the files of a table have one type a column: give the others a "
                             "folder, and a table, of their own");
}

/* The types of nested values point into an arena that ends with the file. */
struct value_type columnar_keep_type(const struct value_type *type, struct arena *arena)
{
    struct value_type kept = *type;
    if (type->element != NULL) {
        struct value_type *element = arena_allocate(arena, sizeof(*element));
        *element = columnar_keep_type(type->element, arena);
        kept.element = element;
    }
    if (type->key != NULL) {
        struct value_type *key = arena_allocate(arena, sizeof(*key));
        *key = columnar_keep_type(type->key, arena);
        kept.key = key;
    }
    if (type->fields != NULL) {
        struct shape *fields = arena_allocate_zeroed(arena, 1, sizeof(*fields));
        uint32_t count = type->fields->field_count;
        struct shape_field *list = arena_allocate_zeroed(arena, count, sizeof(*list));
        for (uint32_t at = 0; at < count; at++) {
            const struct shape_field *field = &type->fields->fields[at];
            list[at] =
                (struct shape_field){arena_copy(arena, field->name, field->name_length),
                                     field->name_length, columnar_keep_type(&field->type, arena)};
        }
        *fields = (struct shape){.name = arena_copy_string(arena, type->fields->name),
                                 .fields = list,
                                 .field_count = count};
        kept.fields = fields;
    }
    return kept;
}

static enum status merge_column(struct merging *merging, const struct columnar_column *node,
                                uint32_t number, struct error *error)
{
    const char *file_name = merging->table->files[number].name;
    size_t length = strlen(node->name);
    uint32_t known = name_index_find(&merging->names, node->name, length);
    if (!text_is_utf8(node->name, length)) {
        return error_set(error, ERROR_SOURCE_INVALID, merging->table->name,
                         "the name of a column in %s is not UTF-8", file_name);
    }
    if (known == NAME_INDEX_NONE) {
        struct merged *column = add_column(merging, node, number, file_name);
        column->name = arena_copy(merging->arena, node->name, length);
        column->type = columnar_keep_type(&node->type, merging->arena);
        known = merging->count - 1;
        (void)name_index_add(&merging->names, column->name, length, known);
    }
    struct merged *column = &merging->columns[known];
    if (column->last == number + 1) {
        char name[96];
        text_printable(node->name, length, name, sizeof(name));
        return error_set(error, ERROR_SOURCE_INVALID, merging->table->name,
                         "two columns of %s are named %s", file_name, name);
    }
    column->last = number + 1;
    column->files++;
    column->not_null = column->not_null && node->not_null;
    return merge_types(&column->type, &node->type)
               ? STATUS_OK
               : refuse_types(merging, column, node, file_name, error);
}

static void note_groups(struct merging *merging, const struct columnar_file *file, uint32_t number,
                        struct file_facts *facts)
{
    uint64_t row = 0;
    *facts = (struct file_facts){.rows = file->rows, .group_count = file->group_count};
    facts->group_begins = arena_allocate_zeroed(merging->arena, (size_t)file->group_count + 1,
                                                sizeof(*facts->group_begins));
    for (uint32_t at = 0; at < file->group_count; at++) {
        facts->group_begins[at] =
            columnar_place_of_row(merging->table->files[number].bytes, file->rows, row);
        row += file->group_rows[at];
    }
    merging->rows += file->rows;
}

static enum status merge_file(struct merging *merging, columnar_look *look, uint32_t number,
                              struct file_facts *facts, struct error *error)
{
    struct columnar_file file = {0};
    struct arena *arena = arena_create(0);
    char *path = folder_file_path(merging->arena, merging->table, number);
    enum status status = look(path, arena, &file, error);
    for (uint32_t at = 0; status == STATUS_OK && at < file.column_count; at++) {
        status = merge_column(merging, &file.columns[at], number, error);
    }
    if (status == STATUS_OK) {
        note_groups(merging, &file, number, facts);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- with what a run wrote beside */

/* Kinds that the format has no type for are there as texts and as JSON. */
static bool stands_for(const struct value_type *declared, const struct value_type *found)
{
    switch (declared->kind) {
    case VALUE_DECIMAL:
    case VALUE_TIME:
    case VALUE_INTERVAL:
        return found->kind == VALUE_TEXT;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return found->kind == VALUE_JSON ||
               (declared->kind == VALUE_SET && found->kind == VALUE_LIST);
    default:
        return false;
    }
}

static void declare(const struct folder_sidecar *sidecar, const char *name, struct value_type *type)
{
    for (uint32_t at = 0; at < sidecar->column_count; at++) {
        const struct schema_column *declared = &sidecar->columns[at];
        if (strcmp(declared->name, name) != 0) {
            continue;
        }
        if (stands_for(&declared->type, type)) {
            const struct value_type *element = type->element;
            *type = declared->type;
            type->element = element;
            type->dynamic = false;
        } else if (declared->type.kind == type->kind) {
            type->native = declared->type.native;
            bool limited = type->kind == VALUE_TEXT || type->kind == VALUE_BYTES;
            type->precision = limited ? declared->type.precision : type->precision;
        }
    }
}

static const char *catalog_tell(const struct merging *merging)
{
    struct buffer told = {0};
    for (uint32_t at = 0; at < merging->count; at++) {
        const struct merged *column = &merging->columns[at];
        char name[96];
        if (column->files < merging->table->file_count) {
            text_printable(column->name, strlen(column->name), name, sizeof(name));
            buffer_format(&told,
                          "%s: %u of its %u files have no column %s, which is null in their "
                          "records\n",
                          merging->table->name, merging->table->file_count - column->files,
                          merging->table->file_count, name);
        }
    }
    const char *kept = told.length > 0 ? arena_copy(merging->arena, told.data, told.length) : NULL;
    buffer_free(&told);
    return kept;
}

enum status columnar_describe_table(struct folder *folder, struct folder_table *table,
                                    columnar_look *look, struct arena *arena,
                                    struct schema_table *schema, struct error *error)
{
    struct folder_sidecar sidecar;
    struct merging merging = {.table = table, .arena = arena, .names = {.arena = arena}};
    struct folder_table_data *data = arena_allocate_zeroed(arena, 1, sizeof(*data));
    char *path = folder_definition_path(arena, folder, table->name, ".json");
    data->files = arena_allocate_zeroed(arena, (size_t)table->file_count + 1, sizeof(*data->files));
    if (folder_sidecar_read(path, arena, &sidecar, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < table->file_count; at++) {
        if (merge_file(&merging, look, at, &data->files[at], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)merging.count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < merging.count; at++) {
        columns[at].name = merging.columns[at].name;
        columns[at].type = merging.columns[at].type;
        columns[at].not_null =
            merging.columns[at].not_null && merging.columns[at].files == table->file_count;
        declare(&sidecar, columns[at].name, &columns[at].type);
    }
    folder_sidecar_describe(&sidecar, schema);
    if (table->file_count > 0) {
        schema->columns = columns;
        schema->column_count = merging.count;
    }
    schema->row_count = (int64_t)merging.rows;
    data->told = catalog_tell(&merging);
    table->format_data = data;
    return STATUS_OK;
}

void columnar_caveats(const struct folder_table *table, struct buffer *out)
{
    if (table->format_data->told != NULL) {
        buffer_append_string(out, table->format_data->told);
    }
}

/* ---------------------------------------------------------------- places */

uint64_t columnar_place_of_row(uint64_t bytes, uint64_t rows, uint64_t row)
{
    return rows == 0 ? 0 : (uint64_t)((unsigned __int128)bytes * row / rows);
}

enum status columnar_align(struct folder *folder, struct folder_table *table, uint32_t file,
                           uint64_t *byte, struct error *error)
{
    const struct file_facts *facts = &table->format_data->files[file];
    uint32_t below = 0;
    uint32_t above = facts->group_count;
    (void)folder;
    (void)error;
    while (below < above) {
        uint32_t middle = below + (above - below) / 2;
        if (facts->group_begins[middle] < *byte) {
            below = middle + 1;
        } else {
            above = middle;
        }
    }
    *byte = below < facts->group_count ? facts->group_begins[below] : table->files[file].bytes;
    return STATUS_OK;
}

enum status columnar_row_bytes(struct folder *folder, const struct folder_table *table,
                               uint64_t *bytes, struct error *error)
{
    uint64_t rows = 0;
    (void)folder;
    (void)error;
    *bytes = 0;
    for (uint32_t at = 0; at < table->file_count; at++) {
        rows += table->format_data->files[at].rows;
        *bytes += table->files[at].bytes;
    }
    *bytes = rows == 0 ? 0 : *bytes / rows > 0 ? *bytes / rows : 1;
    return STATUS_OK;
}
