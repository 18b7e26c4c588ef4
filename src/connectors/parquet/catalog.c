/* The facts that a file of a source's table tells of itself. */
#include "connectors/parquet/parquet.h"

#include <string.h>

void parquet_file_facts(const struct parquet_file *file, struct arena *arena,
                        struct columnar_file *facts)
{
    struct columnar_column *columns =
        arena_allocate_zeroed(arena, (size_t)file->layout.column_count + 1, sizeof(*columns));
    uint64_t *group_rows =
        arena_allocate_zeroed(arena, (size_t)file->group_count + 1, sizeof(*group_rows));
    memcpy(group_rows, file->group_rows, file->group_count * sizeof(*group_rows));
    for (uint32_t at = 0; at < file->layout.column_count; at++) {
        const struct parquet_node *node = &file->layout.columns[at];
        columns[at] = (struct columnar_column){
            .name = arena_copy_string(arena, node->name),
            .type = columnar_keep_type(&node->type, arena),
            .not_null = !node->optional && node->form != PARQUET_LIST,
        };
    }
    *facts = (struct columnar_file){.columns = columns,
                                    .column_count = file->layout.column_count,
                                    .rows = file->rows,
                                    .group_rows = group_rows,
                                    .group_count = file->group_count};
}

static enum status catalog_look(const char *path, struct arena *arena, struct columnar_file *facts,
                                struct error *error)
{
    struct parquet_file *file = NULL;
    if (parquet_file_open(path, ERROR_SOURCE_READ, &file, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    parquet_file_facts(file, arena, facts);
    parquet_file_close(file);
    return STATUS_OK;
}

enum status parquet_describe_table(struct folder *folder, struct folder_table *table,
                                   struct arena *arena, struct schema_table *schema,
                                   struct error *error)
{
    return columnar_describe_table(folder, table, catalog_look, arena, schema, error);
}

enum status parquet_count(const char *path, uint64_t *records, struct error *error)
{
    struct parquet_file *file = NULL;
    enum status status = parquet_file_open(path, ERROR_TARGET_INVALID, &file, error);
    *records = status == STATUS_OK ? file->rows : 0;
    parquet_file_close(file);
    return status;
}
