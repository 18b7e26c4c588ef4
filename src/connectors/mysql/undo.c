/* Undo records: the table that keeps them, and what tells a record from a changed one. */
#include "connectors/mysql/store.h"
#include <string.h>

bool mysql_undo_is_own(const char *column)
{
    return strncmp(column, "_transhume_", strlen("_transhume_")) == 0;
}

/* A value of few characters goes in as it is, all else as a digest of its bytes: a text made by the
 * server is no longer than a packet. */
static void append_hashed(struct buffer *sql, const struct mysql_database *self,
                          const struct mysql_column *column, const char *alias)
{
    const char *digest = mysql_has_md5(self) ? "MD5(" : "SHA2(";
    bool plain = false;
    const char *after = "";
    switch (column->type.format) {
    case MYSQL_AS_INT:
    case MYSQL_AS_UINT:
    case MYSQL_AS_DOUBLE:
    case MYSQL_AS_DECIMAL:
    case MYSQL_AS_DATE:
    case MYSQL_AS_DATETIME:
    case MYSQL_AS_TIMESTAMP:
    case MYSQL_AS_TIME:
    case MYSQL_AS_YEAR:
        plain = true;
        break;
    case MYSQL_AS_FLOAT: /* as a text it has six digits */
        plain = true;
        after = " * 1e0";
        break;
    case MYSQL_AS_BIT:
        plain = true;
        after = " + 0";
        break;
    default:
        break;
    }
    mysql_append(sql, "IFNULL(%s%s.%n%s%s, '-')", plain ? "" : digest, alias, column->name, after,
                 plain                 ? ""
                 : mysql_has_md5(self) ? ")"
                                       : ", 256)");
}

void mysql_undo_append_hash(struct buffer *sql, const struct mysql_database *self,
                            const struct mysql_column *columns, uint32_t count, const char *alias)
{
    bool begun = false;
    bool md5 = mysql_has_md5(self);
    buffer_append_string(sql, md5 ? "UNHEX(MD5(CONCAT_WS(','" : "UNHEX(LEFT(SHA2(CONCAT_WS(','");
    for (uint32_t i = 0; i < count; i++) {
        if (!columns[i].generated) {
            buffer_append_string(sql, ", ");
            append_hashed(sql, self, &columns[i], alias);
            begun = true;
        }
    }
    buffer_append_string(sql, begun ? ")" : ", '')");
    buffer_append_string(sql, md5 ? "))" : ", 256), 32))");
}

void mysql_undo_append_columns(struct buffer *sql, const struct mysql_table *facts,
                               const char *alias)
{
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            mysql_append(sql, ", %s%n", alias, facts->columns[i].name);
        }
    }
}

void mysql_undo_append_column(struct buffer *sql, const struct mysql_table *facts,
                              uint32_t position, bool in_key)
{
    const struct mysql_column *column = &facts->columns[position];
    mysql_append(sql, "%n %s", column->name, column->type.type.native);
    if (column->charset != NULL && column->collation != NULL) {
        mysql_append(sql, " CHARACTER SET %n COLLATE %n", column->charset, column->collation);
    }
    buffer_append_string(sql, in_key ? " NOT NULL, " : " NULL, ");
}

enum status mysql_undo_make(struct mysql_database *self, MYSQL *connection,
                            const struct target_table *table, const struct mysql_table *facts,
                            struct arena *arena, struct error *error)
{
    struct buffer sql = {0};
    const char *name = sql_undo_name(arena, self->sql.run_id, table->name);
    buffer_append_string(&sql, "CREATE TABLE IF NOT EXISTS ");
    mysql_append_table(&sql, self, name);
    buffer_append_string(&sql, " (_transhume_found TINYINT NOT NULL, _transhume_hash BINARY(16) "
                               "NULL, _transhume_fate TINYINT NULL, _transhume_number BIGINT "
                               "UNSIGNED NULL, ");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            mysql_undo_append_column(&sql, facts, i,
                                     mysql_is_in(table->key, facts->columns[i].name));
        }
    }
    buffer_append_string(&sql, "PRIMARY KEY (");
    mysql_append_names(&sql, NULL, table->key);
    buffer_append_string(&sql, "), KEY (_transhume_number)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC");
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_SCHEMA, NULL, error);
    return status == STATUS_OK ? mysql_check_own(self, connection, name, error) : status;
}
