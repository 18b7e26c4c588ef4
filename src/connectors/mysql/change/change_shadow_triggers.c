/* The triggers of a copied table: each writes a row of one form as the other form has it. */
#include "connectors/mysql/change/change_shadow.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- lists for SQL */

void mysql_shadow_append_columns(struct buffer *sql, const struct mysql_change_pair *pairs,
                                 uint32_t count, bool down)
{
    for (uint32_t i = 0; i < count; i++) {
        mysql_append(sql, "%s%n", i > 0 ? ", " : "",
                     down ? pairs[i].from->name : pairs[i].to->name);
    }
}

void mysql_shadow_append_values(struct buffer *sql, const struct mysql_shadow *self, bool down,
                                const char *prefix)
{
    const struct mysql_change_pair *pairs = down ? self->back : self->pairs;
    uint32_t count = down ? self->back_count : self->pair_count;
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        mysql_change_append_value(sql, down ? self->after : self->table, &pairs[i], prefix, down,
                                  self->time_zone);
    }
}

/* " WHERE key = value" of the row that the trigger's `prefix` row has in the other table. */
static void append_where(struct buffer *sql, const struct mysql_shadow *self, bool down,
                         const char *prefix)
{
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        mysql_append(sql, "%s%n = ", i > 0 ? " AND " : " WHERE ",
                     down ? pair->from->name : pair->to->name);
        mysql_change_append_value(sql, down ? self->after : self->table, pair, prefix, down,
                                  self->time_zone);
    }
}

/* ---------------------------------------------------------------- triggers */

/* The server would rather read all of a table that was empty a moment ago, and lock it. */
static const char *index_of(const struct mysql_shadow *self, bool down)
{
    return down ? self->key->name : mysql_shadow_index_for(self, self->key);
}

const char *const mysql_shadow_event_names[MYSQL_SHADOW_EVENT_COUNT] = {"DELETE", "UPDATE",
                                                                        "INSERT"};
const char *const mysql_shadow_forward_roles[MYSQL_SHADOW_EVENT_COUNT] = {"del", "upd", "ins"};
const char *const mysql_shadow_back_roles[MYSQL_SHADOW_EVENT_COUNT] = {"bdel", "bupd", "bins"};

/* The key of the row into the queue that belongs to the direction. */
static void append_enqueue(struct buffer *sql, const struct mysql_shadow *self, bool down,
                           const char *prefix)
{
    mysql_append(sql, "INSERT INTO %n (", down ? self->back_queue : self->queue);
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        mysql_append(sql, "%n, ", down ? pair->to->name : pair->from->name);
    }
    buffer_append_string(sql, "_code, _words) VALUES (");
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        mysql_append(sql, "%s%n, ", prefix, down ? pair->to->name : pair->from->name);
    }
    buffer_append_string(sql, "code, words);\n");
}

/* An INSERT IGNORE or UPDATE IGNORE of the writer's makes failures within its triggers warnings:
 * the other table's row is looked at. ROW_COUNT() does not tell in all servers. */
static void append_check(struct buffer *sql, const struct mysql_shadow *self, bool down,
                         bool updates)
{
    const struct mysql_change_pair *pairs = down ? self->back : self->pairs;
    uint32_t count = down ? self->back_count : self->pair_count;
    mysql_append(sql, "    IF %sEXISTS (SELECT 1 FROM %n AS s FORCE INDEX (%n)",
                 updates ? "" : "NOT ", down ? self->old : self->shadow, index_of(self, down));
    append_where(sql, self, down, "NEW.");
    if (updates) {
        buffer_append_string(sql, " AND (");
        for (uint32_t i = 0; i < count; i++) {
            struct mysql_change_pair pair = pairs[i];
            if (down) {
                pair = (struct mysql_change_pair){
                    .from = pairs[i].to, .to = pairs[i].from, .up = pairs[i].down};
            }
            buffer_append_string(sql, i > 0 ? " OR " : "");
            mysql_change_append_differs(sql, down ? self->after : self->table, &pair, "NEW.",
                                        self->time_zone);
        }
        buffer_append_byte(sql, ')');
    }
    buffer_append_string(sql, ") THEN ");
    append_enqueue(sql, self, down, "NEW.");
    buffer_append_string(sql, "    END IF;\n");
}

/* A row that a parent's key refuses is refused in the new form as well. A statement that began
 * while the triggers were dropped may find no table behind them any more. MySQL tells a value that
 * is too long as a warning's number (1265), though it fails. */
static void append_handler(struct buffer *sql, const struct mysql_shadow *self, bool down,
                           enum mysql_shadow_event event)
{
    mysql_append(sql,
                 "  DECLARE code INT;\n  DECLARE words TEXT;\n  DECLARE strictness VARCHAR(8);\n"
                 "  DECLARE EXIT HANDLER FOR 1146 SET @_transhume_at = NULL;\n"
                 "  DECLARE EXIT HANDLER FOR SQLEXCEPTION, 1265 BEGIN\n"
                 "    GET DIAGNOSTICS CONDITION 1 code = MYSQL_ERRNO, words = MESSAGE_TEXT;\n"
                 "    SET @_transhume_at = NULL;\n"
                 "%s    SELECT mode INTO strictness FROM %n WHERE id = 1 LOCK IN SHARE MODE;\n"
                 "    IF strictness = '%s' THEN RESIGNAL; END IF;\n",
                 down ? "    IF code IN (1451, 1452) THEN RESIGNAL; END IF;\n" : "", self->mode,
                 down ? "back" : "strict");
    if (event != MYSQL_SHADOW_ON_INSERT) {
        buffer_append_string(sql, "    ");
        append_enqueue(sql, self, down, "OLD.");
    }
    if (event != MYSQL_SHADOW_ON_DELETE) {
        buffer_append_string(sql, "    ");
        append_enqueue(sql, self, down, "NEW.");
    }
    buffer_append_string(sql, "  END;\n");
}

static void append_insert(struct buffer *sql, const struct mysql_shadow *self, bool down)
{
    mysql_append(sql, "INSERT INTO %n (", down ? self->old : self->shadow);
    mysql_shadow_append_columns(sql, down ? self->back : self->pairs,
                                down ? self->back_count : self->pair_count, down);
    buffer_append_string(sql, ") VALUES (");
    mysql_shadow_append_values(sql, self, down, "NEW.");
    buffer_append_string(sql, ");\n");
    append_check(sql, self, down, false);
}

static void append_delete(struct buffer *sql, const struct mysql_shadow *self, bool down)
{
    mysql_append(sql, "DELETE s FROM %n AS s FORCE INDEX (%n)", down ? self->old : self->shadow,
                 index_of(self, down));
    append_where(sql, self, down, "OLD.");
    buffer_append_string(sql, ";\n");
}

static bool is_indexed(const struct mysql_change_table *table, const char *column)
{
    for (uint32_t i = 0; i < table->key_count; i++) {
        for (uint32_t j = 0; j < table->keys[i].count; j++) {
            if (strcasecmp(table->keys[i].columns[j], column) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* "OLD.a <=> NEW.a AND …" of the columns of indexes; `left` may be another row's prefix. */
static void append_indexed(struct buffer *sql, const struct mysql_change_table *table,
                           const char *left)
{
    bool first = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        if (is_indexed(table, name)) {
            mysql_append(sql, "%s%s%n <=> NEW.%n", first ? "" : " AND ", left, name, name);
            first = false;
        }
    }
}

/* MariaDB fires the trigger also where an UPDATE IGNORE did not write the row, since a key of
 * another one or a foreign key was in the way: then the row is not there as NEW has it. */
static void append_unwritten(struct buffer *sql, const struct mysql_shadow *self, bool down)
{
    const struct mysql_change_table *table = down ? self->after : self->table;
    buffer_append_string(sql, "IF NOT (");
    append_indexed(sql, table, "OLD.");
    mysql_append(sql, ") AND (NOT EXISTS (SELECT 1 FROM %n AS t WHERE ", self->table->name);
    append_indexed(sql, table, "t.");
    buffer_append_string(sql, ") OR (NOT (");
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        const char *name = down ? pair->to->name : pair->from->name;
        mysql_append(sql, "%sOLD.%n <=> NEW.%n", i > 0 ? " AND " : "", name, name);
    }
    mysql_append(sql, ") AND EXISTS (SELECT 1 FROM %n AS t WHERE ", self->table->name);
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        const char *name = down ? pair->to->name : pair->from->name;
        mysql_append(sql, "%st.%n = OLD.%n", i > 0 ? " AND " : "", name, name);
    }
    buffer_append_string(sql, "))) THEN\n      DO 0;\n    ELSE");
}

/* A row that the shadow does not have yet is copied later, unless its key brought it to where the
 * copy has been: then it is written whole. */
static void append_update(struct buffer *sql, const struct mysql_shadow *self, bool down)
{
    const struct mysql_change_pair *pairs = down ? self->back : self->pairs;
    uint32_t count = down ? self->back_count : self->pair_count;
    append_unwritten(sql, self, down);
    buffer_append_string(sql, "IF ");
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        const char *name = down ? pair->to->name : pair->from->name;
        mysql_append(sql, "%sOLD.%n <=> NEW.%n", i > 0 ? " AND " : "", name, name);
    }
    mysql_append(sql, " THEN\n      UPDATE %n FORCE INDEX (%n) SET ",
                 down ? self->old : self->shadow, index_of(self, down));
    for (uint32_t i = 0; i < count; i++) {
        mysql_append(sql, "%s%n = ", i > 0 ? ", " : "",
                     down ? pairs[i].from->name : pairs[i].to->name);
        mysql_change_append_value(sql, down ? self->after : self->table, &pairs[i], "NEW.", down,
                                  self->time_zone);
    }
    append_where(sql, self, down, "OLD.");
    buffer_append_string(sql, ";\n");
    append_check(sql, self, down, true);
    buffer_append_string(sql, "    ELSE\n      ");
    append_delete(sql, self, down);
    buffer_append_string(sql, "      ");
    append_insert(sql, self, down);
    buffer_append_string(sql, "    END IF;\n");
}

static void append_body(struct buffer *sql, const struct mysql_shadow *self, bool down,
                        enum mysql_shadow_event event)
{
    buffer_append_string(sql, "BEGIN\n");
    append_handler(sql, self, down, event);
    buffer_format(sql,
                  "  IF NOT (@_transhume_at <=> NOW(6))%s THEN\n"
                  "    SET @_transhume_at = NOW(6);\n    ",
                  " AND " MYSQL_CHANGE_COPIES " IS NULL");
    if (event == MYSQL_SHADOW_ON_INSERT) {
        append_insert(sql, self, down);
    } else if (event == MYSQL_SHADOW_ON_UPDATE) {
        append_update(sql, self, down);
    } else {
        append_delete(sql, self, down);
    }
    buffer_append_string(sql, "    SET @_transhume_at = NULL;\n  END IF;\nEND");
}

const char *mysql_shadow_drop_trigger(const struct mysql_shadow *self, const char *name)
{
    return mysql_change_text(self->plan, mysql_sql("DROP TRIGGER IF EXISTS %n", name));
}

static const char *trigger_stands(const struct mysql_shadow *self, const char *name)
{
    return mysql_change_text(
        self->plan,
        mysql_sql("SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = %q "
                  "AND trigger_name = %q",
                  self->plan->session->database->sql.schema, name));
}

void mysql_shadow_add_triggers(struct mysql_shadow *self, bool down)
{
    for (int i = 0; i < MYSQL_SHADOW_EVENT_COUNT; i++) {
        const char *name = mysql_change_name(
            self->plan, (down ? mysql_shadow_back_roles : mysql_shadow_forward_roles)[i],
            self->table->name);
        struct buffer sql = {0};
        mysql_append(&sql, "CREATE TRIGGER %n AFTER %s ON %n FOR EACH ROW ", name,
                     mysql_shadow_event_names[i], down ? self->shadow : self->table->name);
        append_body(&sql, self, down, (enum mysql_shadow_event)i);
        mysql_change_add(
            self->plan,
            &(struct change_step){.phase = down ? CHANGE_SWITCH_WRITES : CHANGE_EXPAND,
                                  .operation = self->set->operation,
                                  .title = arena_format(self->plan->arena, "trigger on %s of %s%s",
                                                        mysql_shadow_event_names[i],
                                                        down ? "the new " : "", self->table->name),
                                  .text = mysql_change_text(self->plan, &sql),
                                  .undo = mysql_shadow_drop_trigger(self, name),
                                  .stands = trigger_stands(self, name),
                                  .settings = self->settings,
                                  .lock = ALTER_LOCK_ALL});
    }
}
