/* The facts that a table's files tell: dialect, columns, types learned from all rows. */
#include "connectors/csv/csv.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { HEAD_WINDOW_BYTES = 64 * 1024, SHOWN_COLUMNS_MAX = 40 };

/* Facts that are known while a table is described. */
struct describing {
    struct csv_database *database;
    struct folder_table *table;
    struct folder_table_data *data;
    struct arena *arena;
    struct csv_definition definition;
    bool defined;
    struct schema_column *columns;
    uint32_t column_count;
    struct error *error;
};

/* ---------------------------------------------------------------- heads of files */

/* The first record of a file as column names (or c1, c2 … without a header). */
struct head {
    const char **names;
    uint32_t count;
    struct name_index index; /* of the names, once one is not where it was expected */
};

/* A column without a name is called by its place, unless this program wrote it. */
static bool defines_nameless(const struct describing *describing)
{
    const struct folder_sidecar *sidecar = &describing->definition.sidecar;
    for (uint32_t at = 0; describing->defined && at < sidecar->column_count; at++) {
        if (sidecar->columns[at].name[0] == '\0') {
            return true;
        }
    }
    return false;
}

static enum status take_name(const struct describing *describing, const char *path,
                             const struct csv_field *field, uint32_t number, const char **name)
{
    const struct csv_dialect *dialect = &describing->data->dialect;
    char *copy = arena_try_copy(describing->arena, field->text, field->length);
    size_t length = field->length;
    if (copy == NULL) {
        return error_set(describing->error, ERROR_MEMORY, path,
                         "no memory for the name of column %u", number + 1);
    }
    if ((field->flags & CSV_FIELD_ESCAPED) != 0) {
        length = csv_unescape(dialect, field, copy);
        copy[length] = '\0';
    }
    if ((length == 0 && !defines_nameless(describing)) || !dialect->header) {
        copy = arena_format(describing->arena, "c%u", number + 1);
        length = strlen(copy);
    }
    if (memchr(copy, '\0', length) != NULL || !text_is_utf8(copy, length)) {
        error_set(describing->error, ERROR_SOURCE_INVALID, path,
                  "the name of column %u in its first line is not valid text", number + 1);
        return error_hint(describing->error,
                          "say which encoding the file has: ?encoding=windows-1252");
    }
    *name = copy;
    return STATUS_OK;
}

static enum status refuse_repeated(const struct describing *describing, const char *path,
                                   const struct head *head)
{
    const char **sorted = memory_allocate_zeroed((size_t)head->count + 1, sizeof(*sorted));
    enum status status = STATUS_OK;
    if (head->count > 0) {
        memcpy(sorted, head->names, head->count * sizeof(*sorted));
        qsort(sorted, head->count, sizeof(*sorted), text_compare_strings);
    }
    for (uint32_t at = 1; status == STATUS_OK && at < head->count; at++) {
        if (strcmp(sorted[at - 1], sorted[at]) == 0) {
            status = error_set(describing->error, ERROR_SOURCE_INVALID, path,
                               "two columns are called \"%s\" in its first line", sorted[at]);
            error_hint(describing->error, "rename one of them; if that line holds values and no "
                                          "names, say so: ?header=no");
        }
    }
    free(sorted);
    return status;
}

/* STATUS_END: the file has no record. */
static enum status read_head(const struct describing *describing, const char *path,
                             struct head *head)
{
    const struct csv_dialect *dialect = &describing->data->dialect;
    const struct csv_reading reading = {.dialect = dialect,
                                        .path = path,
                                        .end = UINT64_MAX,
                                        .field_capacity = CSV_FIELDS_MAX,
                                        .record_bytes_max = describing->database->record_bytes_max,
                                        .window_bytes = HEAD_WINDOW_BYTES};
    struct csv_reader *reader = NULL;
    struct csv_record record = {0};
    enum status status = csv_reader_open(&reading, &reader, describing->error);
    if (status != STATUS_OK) {
        return status;
    }
    do {
        status = csv_reader_next(reader, &record);
    } while (status == STATUS_END &&
             (status = csv_reader_fill(reader, NULL, describing->error)) == STATUS_OK &&
             (status = csv_reader_next(reader, &record)) == STATUS_END);
    if (status == STATUS_OK && (record.fault != CSV_FINE || record.field_count > CSV_FIELDS_MAX)) {
        status = error_set(describing->error, ERROR_SOURCE_INVALID, path,
                           "its first line can't be read: %s",
                           record.fault != CSV_FINE ? csv_fault_text(record.fault)
                                                    : "it has more than 65,535 fields");
        error_hint(describing->error,
                   "is this its dialect? delimiter, quote and encoding are options of the URI");
    }
    if (status == STATUS_OK) {
        head->count = record.field_count;
        head->names = arena_allocate_zeroed(describing->arena, (size_t)record.field_count + 1,
                                            sizeof(*head->names));
    }
    for (uint32_t at = 0; status == STATUS_OK && at < head->count; at++) {
        status = take_name(describing, path, &record.fields[at], at, &head->names[at]);
    }
    csv_reader_close(reader);
    return status == STATUS_OK ? refuse_repeated(describing, path, head) : status;
}

/* ---------------------------------------------------------------- columns */

static const struct csv_declared *find_declared(const struct csv_declared *declared, uint32_t count,
                                                const char *name)
{
    for (uint32_t at = 0; at < count; at++) {
        if (strcmp(declared[at].name, name) == 0) {
            return &declared[at];
        }
    }
    return NULL;
}

static void make_columns(struct describing *describing, const char *const *names, uint32_t count)
{
    describing->columns =
        arena_allocate_zeroed(describing->arena, (size_t)count + 1, sizeof(*describing->columns));
    for (uint32_t at = 0; at < count; at++) {
        describing->columns[at] =
            (struct schema_column){.name = names[at], .type = {.kind = VALUE_TEXT}};
    }
    describing->column_count = count;
}

static void columns_of_definition(struct describing *describing)
{
    const struct folder_sidecar *sidecar = &describing->definition.sidecar;
    describing->columns = arena_allocate_zeroed(
        describing->arena, (size_t)sidecar->column_count + 1, sizeof(*describing->columns));
    memcpy(describing->columns, sidecar->columns,
           sidecar->column_count * sizeof(*describing->columns));
    describing->column_count = sidecar->column_count;
}

static enum status place_column(struct describing *describing, const char *path, struct head *head,
                                uint32_t column, uint32_t *field)
{
    const char *name = describing->columns[column].name;
    *field = column;
    if (column < head->count && strcmp(head->names[column], name) == 0) {
        return STATUS_OK;
    }
    head->index.arena = describing->arena;
    for (uint32_t at = head->index.count; at < head->count; at++) {
        const char *known = head->names[at];
        (void)name_index_add(&head->index, known, strlen(known), at);
    }
    *field = name_index_find(&head->index, name, strlen(name));
    if (*field != NAME_INDEX_NONE) {
        return STATUS_OK;
    }
    error_set(describing->error, ERROR_SOURCE_INVALID, path,
              "it has no column \"%s\", which table %s has elsewhere", name,
              describing->table->name);
    return error_hint(describing->error, "files of one table have the same columns, in any order");
}

/* Where the table's columns stand in this file; the first file with a head decides them. */
static enum status read_file_head(struct describing *describing, uint32_t number)
{
    const struct folder_table *table = describing->table;
    struct csv_file_data *file = &describing->data->files[number];
    char *path = folder_file_path(describing->arena, table, number);
    struct head head = {0};
    enum status status =
        csv_reader_can_seek(&describing->data->dialect, path, &file->can_seek, describing->error);
    status = status == STATUS_OK ? read_head(describing, path, &head) : status;
    if (status != STATUS_OK) {
        file->is_empty = status == STATUS_END;
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (describing->columns == NULL) {
        make_columns(describing, head.names, head.count);
    } else if (describing->data->dialect.header && head.count != describing->column_count) {
        /* without names the order decides, and rows of another width are rejected one by one */
        status = error_set(describing->error, ERROR_SOURCE_INVALID, path,
                           "its first line names %u columns, and table %s has %u", head.count,
                           table->name, describing->column_count);
        error_hint(describing->error, "files of one table have the same columns, in any order");
    }
    file->field_of_column = arena_allocate_zeroed(
        describing->arena, (size_t)describing->column_count + 1, sizeof(uint32_t));
    for (uint32_t at = 0; status == STATUS_OK && at < describing->column_count; at++) {
        if (!describing->data->dialect.header) {
            file->field_of_column[at] = at;
        } else {
            status = place_column(describing, path, &head, at, &file->field_of_column[at]);
        }
    }
    return status;
}

static enum status read_heads(struct describing *describing)
{
    const struct folder_table *table = describing->table;
    enum status status = STATUS_OK;
    describing->data->files = arena_allocate_zeroed(
        describing->arena, (size_t)table->file_count + 1, sizeof(*describing->data->files));
    if (describing->defined && describing->definition.sidecar.column_count > 0) {
        columns_of_definition(describing);
    }
    for (uint32_t at = 0; status == STATUS_OK && at < table->file_count; at++) {
        status = read_file_head(describing, at);
    }
    if (status == STATUS_OK && describing->columns == NULL) {
        status = error_set(describing->error, ERROR_SOURCE_INVALID, table->name,
                           "the table's files are empty: not even the names of columns are there");
        error_hint(describing->error,
                   "move the empty file away, or leave the table out: "
                   "--exclude %s",
                   table->name);
    }
    return status;
}

/* ---------------------------------------------------------------- types */

/* As the run that is gone on with knows it; NULL: it does not. */
static const struct schema_column *find_known(const struct describing *describing, const char *name)
{
    const struct schema *known = describing->database->folder.base.known;
    const struct schema_table *table =
        known != NULL ? schema_find_table(known, describing->table->name) : NULL;
    int at = table != NULL ? schema_find_column(table, name) : -1;
    return at >= 0 ? &table->columns[at] : NULL;
}

/* Declared types, and known ones; `wanted` tells which columns have none. */
static bool declare_types(struct describing *describing, bool *wanted)
{
    const struct csv_database *database = describing->database;
    bool any_wanted = false;
    for (uint32_t at = 0; at < describing->column_count; at++) {
        struct schema_column *column = &describing->columns[at];
        const struct csv_declared *declared =
            find_declared(database->declared, database->declared_count, column->name);
        bool defined = describing->defined && at < describing->definition.sidecar.column_count;
        if (declared != NULL) {
            column->type = declared->type;
        }
        bool inferred = declared == NULL && !defined && database->infer;
        const struct schema_column *known = inferred ? find_known(describing, column->name) : NULL;
        if (known != NULL) {
            column->type = known->type;
        }
        wanted[at] = inferred && known == NULL;
        any_wanted = any_wanted || wanted[at];
    }
    return any_wanted;
}

static enum status learn_types(struct describing *describing, const bool *wanted,
                               struct schema_table *schema)
{
    struct folder_table_data *data = describing->data;
    data->facts = arena_allocate_zeroed(describing->arena, (size_t)describing->column_count + 1,
                                        sizeof(*data->facts));
    struct csv_pass pass = {.database = describing->database,
                            .table = describing->table,
                            .data = data,
                            .arena = describing->arena,
                            .column_count = describing->column_count,
                            .wanted = wanted,
                            .file_end = describing->table->file_count,
                            .facts = data->facts};
    if (csv_pass_run(&pass, describing->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < describing->column_count; at++) {
        if (wanted[at]) {
            describing->columns[at].type = csv_infer_type(&data->facts[at]);
        }
    }
    schema->row_count = (int64_t)pass.record_count;
    return STATUS_OK;
}

static enum status find_types(struct describing *describing, struct schema_table *schema)
{
    bool *wanted = arena_allocate_zeroed(describing->arena, (size_t)describing->column_count + 1,
                                         sizeof(*wanted));
    describing->data->learned = wanted;
    if (declare_types(describing, wanted) && learn_types(describing, wanted, schema) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < describing->column_count; at++) {
        struct value_type *type = &describing->columns[at].type;
        type->native = csv_type_text(type, describing->arena);
    }
    return STATUS_OK;
}

/* A delimiter that is not the usual one was guessed: that is said at once. */
static void say_recognised(const struct describing *describing, uint32_t file)
{
    bool given = (describing->database->given & CSV_GIVEN_DELIMITER) != 0;
    if (!given && describing->data->dialect.delimiter != describing->database->dialect.delimiter) {
        log_write(LOG_WARNING, "%s: recognised %s; options of the URI win over it",
                  folder_file_path(describing->arena, describing->table, file),
                  describing->data->recognised);
    }
}

/* The dialect is recognised from the files where neither a definition nor the URI says it. */
static enum status recognise(struct describing *describing)
{
    struct csv_recognised recognised = {0};
    struct buffer text = {0};
    struct folder_table_data *data = describing->data;
    if (describing->defined) {
        return STATUS_OK;
    }
    if (csv_recognise(describing->database, describing->table, describing->arena, &data->dialect,
                      &recognised, describing->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (recognised.done) {
        csv_tell_recognised(describing->database, &data->dialect, &recognised, &text);
        data->recognised =
            text.length > 0 ? arena_copy(describing->arena, text.data, text.length) : NULL;
        say_recognised(describing, recognised.file);
    }
    buffer_free(&text);
    return STATUS_OK;
}

enum status csv_describe_table(struct folder *folder, struct folder_table *table,
                               struct arena *arena, struct schema_table *schema,
                               struct error *error)
{
    struct csv_database *database = (struct csv_database *)folder;
    struct describing describing = {
        .database = database, .table = table, .arena = arena, .error = error};
    char *path = folder_definition_path(arena, folder, table->name, ".json");
    describing.data = arena_allocate_zeroed(arena, 1, sizeof(*describing.data));
    enum status status = csv_definition_read(path, arena, &describing.definition, error);
    describing.defined = status == STATUS_OK;
    describing.data->dialect = describing.defined && !database->dialect_given
                                   ? describing.definition.dialect
                                   : database->dialect;
    if (status == STATUS_FAILED || recognise(&describing) != STATUS_OK ||
        read_heads(&describing) != STATUS_OK || find_types(&describing, schema) != STATUS_OK) {
        return STATUS_FAILED;
    }
    folder_sidecar_describe(&describing.definition.sidecar, schema);
    schema->columns = describing.columns;
    schema->column_count = describing.column_count;
    table->format_data = describing.data;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- borders */

/* With the mutex held: marks of a file whose types were declared, at the first need. */
static enum status mark_file(struct folder *folder, const struct folder_table *table, uint32_t file,
                             struct error *error)
{
    struct csv_pass pass = {.database = (struct csv_database *)folder,
                            .table = table,
                            .data = table->format_data,
                            .arena = folder->snapshot->arena,
                            .column_count = table->schema.column_count,
                            .file_begin = file,
                            .file_end = file + 1};
    return table->format_data->files[file].marked ? STATUS_OK : csv_pass_run(&pass, error);
}

/* How many marks are before the byte. */
static uint32_t marks_before(const struct csv_file_data *data, uint64_t byte)
{
    uint32_t below = 0;
    uint32_t above = data->mark_count;
    while (below < above) {
        uint32_t middle = below + (above - below) / 2;
        if (data->marks[middle].byte < byte) {
            below = middle + 1;
        } else {
            above = middle;
        }
    }
    return below;
}

enum status csv_align(struct folder *folder, struct folder_table *table, uint32_t file,
                      uint64_t *byte, struct error *error)
{
    struct csv_file_data *data = &table->format_data->files[file];
    uint64_t wanted = *byte;
    *byte = table->files[file].bytes;
    if (!data->can_seek || data->is_empty) {
        return STATUS_OK;
    }
    pthread_mutex_lock(&folder->mutex);
    enum status status = mark_file(folder, table, file, error);
    pthread_mutex_unlock(&folder->mutex);
    uint32_t at = status == STATUS_OK ? marks_before(data, wanted) : data->mark_count;
    if (at < data->mark_count) {
        *byte = data->marks[at].byte;
    }
    return status;
}

enum status csv_mark_before(struct folder *folder, const struct folder_table *table, uint32_t file,
                            uint64_t byte, struct csv_mark *mark, struct error *error)
{
    const struct csv_file_data *data = &table->format_data->files[file];
    *mark = (struct csv_mark){0};
    pthread_mutex_lock(&folder->mutex);
    enum status status = mark_file(folder, table, file, error);
    pthread_mutex_unlock(&folder->mutex);
    uint32_t at = status == STATUS_OK ? marks_before(data, byte) : 0;
    if (at < data->mark_count && data->marks[at].byte == byte) {
        *mark = data->marks[at];
    } else if (at > 0) {
        *mark = data->marks[at - 1];
    }
    return status;
}

/* ---------------------------------------------------------------- caveats */

static const char *class_text(enum csv_class class)
{
    static const char *const texts[CSV_CLASS_COUNT] = {"a whole number",
                                                       "a number beyond 64 bits",
                                                       "a number with a fraction",
                                                       "a number that only a float holds",
                                                       "no finite number",
                                                       "a date",
                                                       "a timestamp",
                                                       "a timestamp with zone",
                                                       "text"};
    return texts[class];
}

/* "orders: price is text: "n/a" in orders.csv:2000001 is text, "9.99" in orders.csv:2 …" */
static void explain_column(const struct folder_table *table, uint32_t column, struct buffer *out)
{
    const struct csv_column_facts *facts = &table->format_data->facts[column];
    enum csv_class decider = csv_infer_decider(facts);
    enum csv_class first = CSV_CLASS_WHOLE;
    if (facts->classes == 0 || decider == CSV_CLASS_COUNT) {
        return;
    }
    while ((facts->classes & 1u << first) == 0) {
        first = (enum csv_class)(first + 1);
    }
    const struct csv_first *odd = &facts->first[decider];
    char name[128];
    text_printable(table->schema.columns[column].name, strlen(table->schema.columns[column].name),
                   name, sizeof name);
    buffer_format(
        out, "%s: column %s is %s, since \"%s\" (%s:%llu) is %s and \"%s\" (%s:%llu) is %s\n",
        table->name, name, table->schema.columns[column].type.native, facts->first[first].sample,
        table->files[facts->first[first].file].name,
        (unsigned long long)facts->first[first].line + 1, class_text(first), odd->sample,
        table->files[odd->file].name, (unsigned long long)odd->line + 1, class_text(decider));
}

/* "orders: learned from 3 records: id int64, name text, price decimal(5,2)" */
static void show_types(const struct folder_table *table, struct buffer *out)
{
    const struct folder_table_data *data = table->format_data;
    uint32_t shown = 0;
    for (uint32_t column = 0; column < table->schema.column_count; column++) {
        char name[128];
        const char *full = table->schema.columns[column].name;
        if (!data->learned[column]) {
            continue;
        }
        text_printable(full, strlen(full), name, sizeof name);
        if (shown == 0) {
            buffer_format(out, "%s: types learned from all %lld records: ", table->name,
                          (long long)table->schema.row_count);
        } else if (shown == SHOWN_COLUMNS_MAX) {
            buffer_append_string(out, " …");
            break;
        } else {
            buffer_append_string(out, ", ");
        }
        buffer_format(out, "%s %s", name, table->schema.columns[column].type.native);
        shown++;
    }
    buffer_append_string(out, shown > 0 ? "\n" : "");
}

/* One column whose name looks like several. */
static void doubt_delimiter(const struct folder_table *table, struct buffer *out)
{
    const struct schema_table *schema = &table->schema;
    const char *name = schema->column_count == 1 ? schema->columns[0].name : "";
    const char *mark = strpbrk(name, ",;|\t");
    if (mark != NULL) {
        char shown[2];
        buffer_format(
            out,
            "%s: it has one column only, whose name holds a delimiter: did you mean ?delimiter=%s\n",
            table->name, csv_delimiter_word(*mark, shown));
    }
}

/* The nearest name of any table's columns, NULL if none is close. */
static const char *nearest_column(const struct folder_snapshot *snapshot, const char *wanted)
{
    const char *nearest = NULL;
    size_t count = 0;
    for (uint32_t table = 0; table < snapshot->table_count; table++) {
        count += snapshot->tables[table].schema.column_count;
    }
    const char **names = memory_allocate_zeroed(count + 1, sizeof(*names));
    count = 0;
    for (uint32_t table = 0; table < snapshot->table_count; table++) {
        const struct schema_table *schema = &snapshot->tables[table].schema;
        for (uint32_t column = 0; column < schema->column_count; column++) {
            names[count++] = schema->columns[column].name;
        }
    }
    nearest = text_nearest(wanted, names, count);
    free(names);
    return nearest;
}

static enum status refuse_declared(const struct folder_snapshot *snapshot,
                                   const struct csv_declared *declared, struct error *error)
{
    char shown[100];
    const char *nearest = nearest_column(snapshot, declared->name);
    text_printable(declared->name, strlen(declared->name), shown, sizeof shown);
    error_set(error, ERROR_BAD_VALUE, "types", "no table has a column %s", shown);
    if (nearest != NULL) {
        text_printable(nearest, strlen(nearest), shown, sizeof shown);
        error_hint(error, "did you mean %s?", shown);
    } else {
        error_hint(error, "without it `transhume check` shows the columns and their types");
    }
    return STATUS_FAILED;
}

enum status csv_check_tables(struct folder *folder, const struct folder_snapshot *snapshot,
                             struct error *error)
{
    const struct csv_database *database = (const struct csv_database *)folder;
    struct arena *arena = arena_create(0);
    struct name_index names = {.arena = arena};
    enum status status = STATUS_OK;
    for (uint32_t table = 0; database->declared_count > 0 && table < snapshot->table_count;
         table++) {
        const struct schema_table *schema = &snapshot->tables[table].schema;
        for (uint32_t column = 0; column < schema->column_count; column++) {
            const char *name = schema->columns[column].name;
            (void)name_index_add(&names, name, strlen(name), column);
        }
    }
    for (uint32_t at = 0;
         status == STATUS_OK && snapshot->table_count > 0 && at < database->declared_count; at++) {
        const char *name = database->declared[at].name;
        if (name_index_find(&names, name, strlen(name)) == NAME_INDEX_NONE) {
            status = refuse_declared(snapshot, &database->declared[at], error);
        }
    }
    arena_destroy(arena);
    return status;
}

void csv_caveats(const struct folder_table *table, struct buffer *out)
{
    const struct folder_table_data *data = table->format_data;
    if (data->recognised != NULL) {
        buffer_format(out, "%s: recognised %s\n", table->name, data->recognised);
    }
    show_types(table, out);
    doubt_delimiter(table, out);
    for (uint32_t column = 0; data->facts != NULL && column < table->schema.column_count;
         column++) {
        explain_column(table, column, out);
    }
    if (data->faults > 0) {
        buffer_format(out, "%s: %llu records can't be read, the first one at %s:%llu\n",
                      table->name, (unsigned long long)data->faults,
                      table->files[data->first_fault.file].name,
                      (unsigned long long)data->first_fault.line + 1);
    }
}
