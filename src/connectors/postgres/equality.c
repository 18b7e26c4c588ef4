/* By which operator the server takes two columns for equal. */
#include "base/text.h"
#include "connectors/postgres/source.h"
#include "postgres_sql.h"
#include <string.h>

enum { OID_BPCHAR = 1042 };

/* Does an operator that is called = say of them what a key's would, and what their texts do? */
static bool is_plain(const struct postgres_column *from, const struct postgres_column *to)
{
    enum value_kind kind = from->type.type.kind;
    enum value_kind other = to->type.type.kind;
    if (value_kind_is_number(kind) && value_kind_is_number(other)) {
        return true;
    }
    return from->type_oid == to->type_oid && !postgres_is_by_text(from) && !from->loose &&
           !to->loose && from->type_oid != OID_BPCHAR;
}

enum status postgres_equality_find(struct postgres_database *self, PGconn *connection,
                                   const struct postgres_equality_side *from,
                                   const struct postgres_equality_side *to, struct arena *arena,
                                   struct postgres_equality *equality, struct error *error)
{
    const struct postgres_equality_side *sides[] = {from, to};
    char numbers[6][24];
    PGresult *result = NULL;
    *equality = (struct postgres_equality){0};
    if (from->column == NULL || to->column == NULL || is_plain(from->column, to->column)) {
        return STATUS_OK;
    }
    for (int i = 0; i < 2; i++) {
        text_from_uint64(sides[i]->table_oid, numbers[2 * i]);
        text_from_int64(sides[i]->column->number, numbers[2 * i + 1]);
        text_from_uint64(sides[i]->column->type_oid, numbers[4 + i]);
    }
    const struct postgres_parameter parameters[] = {{.text = numbers[0]}, {.text = numbers[1]},
                                                    {.text = numbers[2]}, {.text = numbers[3]},
                                                    {.text = numbers[4]}, {.text = numbers[5]}};
    enum status status = postgres_query(self, connection, sql_equality, parameters, 6, SQL_SHORT,
                                        ERROR_SOURCE_READ, &result, error);
    if (status == STATUS_OK && PQntuples(result) == 1) {
        *equality = (struct postgres_equality){
            .operation = arena_copy_string(arena, PQgetvalue(result, 0, 0)),
            .turned = PQgetvalue(result, 0, 1)[0] == 't',
            .of_key = PQgetvalue(result, 0, 2)[0] == 't',
            .types = {arena_copy_string(arena, PQgetvalue(result, 0, 3)),
                      arena_copy_string(arena, PQgetvalue(result, 0, 4))}};
    }
    PQclear(result);
    return status;
}
