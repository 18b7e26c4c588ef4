/* In which order tables are finished: the largest first, so that none of them is begun when the
 * others are done. InnoDB counts what is added to a table, from which it was made by the run. */
#include "connectors/mysql/crew.h"
#include <stdlib.h>
#include <strings.h>

struct sized {
    uint32_t number;
    uint64_t rows;
};

static int compare_sized(const void *left, const void *right)
{
    const struct sized *one = left;
    const struct sized *other = right;
    return one->rows != other->rows      ? one->rows > other->rows ? -1 : 1
           : one->number < other->number ? -1
                                         : 1;
}

static void set_rows(const struct target_table *tables, struct sized *sized, uint32_t count,
                     MYSQL_RES *found)
{
    for (MYSQL_ROW row; (row = mysql_fetch_row(found)) != NULL;) {
        for (uint32_t i = 0; row[0] != NULL && row[1] != NULL && i < count; i++) {
            if (strcasecmp(tables[sized[i].number].name, row[0]) == 0) {
                sized[i].rows = strtoull(row[1], NULL, 10);
                break;
            }
        }
    }
}

enum status maria_put_largest_first(struct maria_database *self, MYSQL *connection,
                                    const struct target_table *tables, uint32_t *numbers,
                                    uint32_t count, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *found = NULL;
    struct sized *sized = NULL;
    if (count < 2) {
        return STATUS_OK;
    }
    sized = calloc((size_t)count + 1, sizeof *sized);
    if (sized == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        sized[i].number = numbers[i];
    }
    buffer_append_string(&sql, "SELECT table_name, table_rows FROM information_schema.tables "
                               "WHERE table_type = 'BASE TABLE' AND table_schema = ");
    maria_append_string(&sql, self->schema);
    enum status status =
        maria_query_buffer(self, connection, &sql, MARIA_LONG, ERROR_TARGET_INVALID, &found, error);
    if (status == STATUS_OK && found != NULL) {
        set_rows(tables, sized, count, found);
        qsort(sized, count, sizeof *sized, compare_sized);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        numbers[i] = sized[i].number;
    }
    mysql_free_result(found);
    free(sized);
    return status;
}
