/* The tables beside a copied one: its new form, the queues and the mode, with foreign keys and
 * indexes. */
#include "connectors/mysql/change/change_shadow.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- tables */

const char *mysql_shadow_drop_table(const struct mysql_shadow *self, const char *name)
{
    return mysql_change_text(self->plan, mysql_sql("DROP TABLE IF EXISTS %n", name));
}

void mysql_shadow_add_statement(struct mysql_shadow *self, enum change_phase phase,
                                const char *title, struct buffer *sql, const char *undo,
                                const char *stands)
{
    mysql_change_add(self->plan, &(struct change_step){.phase = phase,
                                                       .operation = self->set->operation,
                                                       .title = title,
                                                       .text = mysql_change_text(self->plan, sql),
                                                       .undo = undo,
                                                       .stands = stands,
                                                       .settings = self->settings});
}

/* A foreign key of the table itself is one of the shadow as well, by another name, since both stand
 * side by side. One that the server named follows the table's name when it is renamed. */
bool mysql_shadow_names_itself(const struct mysql_change_reference *reference, const char *table)
{
    size_t length = strlen(table);
    return strncmp(reference->name, table, length) == 0 &&
           strncmp(reference->name + length, "_ibfk_", 6) == 0;
}

bool mysql_shadow_is_of_itself(const struct mysql_shadow *self,
                               const struct mysql_change_reference *reference)
{
    return strcasecmp(reference->parent, self->table->name) == 0;
}

void mysql_shadow_append_reference(struct buffer *sql, const struct mysql_shadow *self,
                                   const struct mysql_change_reference *reference, const char *name)
{
    const char *rest = strstr(reference->clause, " FOREIGN KEY ");
    (void)self;
    mysql_append(sql, "CONSTRAINT %n%s", name, rest);
}

const char *mysql_shadow_reference_name(const struct mysql_shadow *self,
                                        const struct mysql_change_reference *reference)
{
    return mysql_shadow_names_itself(reference, self->table->name)
               ? arena_format(self->plan->arena, "%s%s", self->shadow,
                              reference->name + strlen(self->table->name))
               : mysql_change_name(self->plan, "fk", reference->name);
}

/* Does the column count up? It has to be the first one of a key. */
static bool counts_up(const struct mysql_shadow *self, const char *name)
{
    struct buffer lead = {0};
    mysql_append(&lead, "\n  %n ", name);
    const char *line = strstr(self->after->statement, buffer_string(&lead));
    size_t length = line != NULL ? strcspn(line + 1, "\n") : 0;
    bool found = line != NULL && memmem(line, length, " AUTO_INCREMENT", 15) != NULL;
    buffer_free(&lead);
    return found;
}

/* Is it a line of an index that may be made behind the copy, sorted in one go? Not those that rows
 * are found by, that refuse rows, or that a foreign key needs. */
static bool is_later(const struct mysql_shadow *self, const char *line, size_t length)
{
    static const char lead[] = "\n  KEY ";
    if (length < sizeof lead || strncmp(line, lead, sizeof lead - 1) != 0 ||
        self->table->outward_count > 0) {
        return false;
    }
    for (uint32_t i = 0; i < self->after->key_count; i++) {
        const struct mysql_change_key *key = &self->after->keys[i];
        struct buffer name = {0};
        mysql_append(&name, "%n ", key->name);
        bool same = name.length < length - sizeof lead &&
                    strncmp(line + sizeof lead - 1, name.data, name.length) == 0;
        buffer_free(&name);
        if (same) {
            return strcmp(key->name, mysql_shadow_index_for(self, self->key)) != 0 &&
                   (key->count == 0 || !counts_up(self, key->columns[0]));
        }
    }
    return false;
}

/* A check that the server named follows its table's name when it is renamed, if it has it. */
static void append_line(struct buffer *sql, const struct mysql_shadow *self, const char *line,
                        size_t length)
{
    struct buffer lead = {0};
    mysql_append(&lead, "\n  CONSTRAINT %n", self->after->name);
    lead.length--; /* the quote behind the name */
    bool named = length > lead.length + 5 && strncmp(line, lead.data, lead.length) == 0 &&
                 strncmp(line + lead.length, "_chk_", 5) == 0;
    if (named) {
        size_t begin = sql->length;
        mysql_append(sql, "\n  CONSTRAINT %n", self->shadow);
        sql->length -= sql->length > begin ? 1 : 0;
        buffer_append(sql, line + lead.length, length - lead.length);
    } else {
        buffer_append(sql, line, length);
    }
    buffer_free(&lead);
}

/* The lines between "(" and ")" that stand, or the indexes that are made later, as clauses. */
static uint32_t append_lines(struct buffer *sql, const struct mysql_shadow *self, const char *begin,
                             const char *end, bool later)
{
    uint32_t count = 0;
    for (const char *line = begin; line < end;) {
        size_t length = 1 + strcspn(line + 1, "\n");
        size_t bare = length - (line[length - 1] == ',' ? 1 : 0);
        if (is_later(self, line, length) == later) {
            buffer_format(sql, "%s%s", count > 0 ? "," : "", later ? "\n  ADD" : "");
            append_line(sql, self, line + (later ? 2 : 0), bare - (later ? 2 : 0));
            count++;
        }
        line += length;
    }
    return count;
}

/* SHOW CREATE TABLE of the trial under the shadow's name, with the foreign keys. */
static void append_create(struct buffer *sql, const struct mysql_shadow *self)
{
    const char *body = strstr(self->after->statement, "(\n");
    const char *end = strstr(body, "\n) ");
    mysql_append(sql, "CREATE TABLE IF NOT EXISTS %n (", self->shadow);
    append_lines(sql, self, body + 1, end, false);
    for (uint32_t i = 0; i < self->table->outward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->outward[i];
        if (reference->clause != NULL && !mysql_shadow_is_of_itself(self, reference) &&
            !mysql_change_is_unlinked(self->set, reference->name)) {
            buffer_append_string(sql, ",\n  ");
            mysql_shadow_append_reference(sql, self, reference,
                                          mysql_shadow_reference_name(self, reference));
        }
    }
    buffer_append_string(sql, end);
}

static void append_key_columns(struct buffer *sql, const struct mysql_shadow *self, bool down)
{
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        const struct mysql_change_column *column = down ? pair->to : pair->from;
        mysql_append(sql, ", %n %s", column->name, column->type);
        if (column->charset != NULL) {
            buffer_format(sql, " CHARACTER SET %s COLLATE %s", column->charset, column->collation);
        }
        buffer_append_string(sql, " NULL");
    }
}

static void add_queue(struct mysql_shadow *self, const char *name, bool down)
{
    struct buffer sql = {0};
    mysql_append(
        &sql,
        "CREATE TABLE IF NOT EXISTS %n (_n bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY "
        "KEY",
        name);
    append_key_columns(&sql, self, down);
    buffer_append_string(&sql, ", _code int, _words text) ENGINE=InnoDB");
    mysql_shadow_add_statement(self, CHANGE_EXPAND,
                               down ? "the queue of the way back"
                                    : "the queue of rows that do not fit",
                               &sql, mysql_shadow_drop_table(self, name), NULL);
}

void mysql_shadow_add_tables(struct mysql_shadow *self)
{
    struct buffer sql = {0};
    append_create(&sql, self);
    mysql_shadow_add_statement(self, CHANGE_EXPAND, "the new form, as a table beside it", &sql,
                               mysql_shadow_drop_table(self, self->shadow), NULL);
    add_queue(self, self->queue, false);
    add_queue(self, self->back_queue, true);
    mysql_append(&sql,
                 "CREATE TABLE IF NOT EXISTS %n (id int NOT NULL PRIMARY KEY, mode varchar(8) NOT "
                 "NULL) ENGINE=InnoDB",
                 self->mode);
    mysql_shadow_add_statement(self, CHANGE_EXPAND,
                               "the mode of the triggers: whether they fail writers", &sql,
                               mysql_shadow_drop_table(self, self->mode), NULL);
    mysql_append(&sql, "REPLACE INTO %n VALUES (1, 'lenient')", self->mode);
    mysql_shadow_add_statement(self, CHANGE_EXPAND, "the triggers fail no writer", &sql, NULL,
                               NULL);
}

/* ---------------------------------------------------------------- indexes behind the copy */

void mysql_shadow_add_indexes(struct mysql_shadow *self)
{
    const char *body = strstr(self->after->statement, "(\n");
    const char *end = strstr(body, "\n) ");
    struct buffer sql = {0};
    struct buffer stands = {0};
    mysql_append(&sql, "ALTER TABLE %n", self->shadow);
    uint32_t count = append_lines(&sql, self, body + 1, end, true);
    buffer_append_string(&sql, ",\n  ALGORITHM=INPLACE, LOCK=NONE");
    mysql_append(&stands,
                 "SELECT count(DISTINCT index_name) = %u FROM information_schema.statistics WHERE "
                 "table_schema = %q AND table_name = %q",
                 (unsigned)self->after->key_count, self->plan->session->database->sql.schema,
                 self->shadow);
    if (count > 0) {
        mysql_shadow_add_statement(self, CHANGE_FILL, "the indexes of the new form", &sql, NULL,
                                   mysql_change_text(self->plan, &stands));
    }
    buffer_free(&sql);
    buffer_free(&stands);
}
