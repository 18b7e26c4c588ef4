/*
 * A table's new form beside it: what the server would only make by copying under a lock.
 *
 * shadow   the new form. Triggers on the table write each change into it, within the writer's own
 *          transaction, so that both hold the same rows whenever one looks, and one RENAME is all
 *          that leads applications over.
 * queue    keys of rows whose change did not fit the shadow. The writer is not failed by that:
 *          the row is copied again later, and if it still does not fit, the change stops.
 * mode     one row: 'lenient', or from the switch on 'strict': then what does not fit the new form
 *          fails its writer, as it will from now on. It is read under a lock, so that who changes
 * it has waited for all that were lenient. back     the queue of the other direction: once renamed,
 * the old table is written by triggers of the new one, so that the change can still be taken back.
 *
 * Both triggers would answer each other: @_transhume_at holds the time of the statement (NOW(6),
 * the same all through it) while one of them writes. A value that is left behind by a transaction
 * that was rolled back is of another time, and shuts nothing out.
 */
#include "connectors/mysql/change.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PAIRS_MAX = 4096 };

struct shadowing {
    struct mysql_change_plan *plan;
    const struct mysql_change_set *set;
    const struct mysql_change_table *table, *after;
    const struct mysql_change_key *key; /* of the table */
    const struct mysql_change_pair *key_pairs[SQL_SHADOW_KEY_MAX];
    struct mysql_change_pair *pairs; /* columns of the shadow that are written */
    uint32_t pair_count;
    struct mysql_change_pair *carried; /* columns that have the same value, generated ones too */
    uint32_t carried_count;
    struct mysql_change_pair *back; /* columns of the old table that are written */
    uint32_t back_count;
    const char *shadow, *old, *queue, *back_queue, *mode;
    const char *settings;
    const char *time_zone;
};

/* ---------------------------------------------------------------- columns */

static bool is_dropped(const struct shadowing *self, const char *name)
{
    for (uint32_t i = 0; i < self->set->value_count; i++) {
        const struct mysql_change_value *value = &self->set->values[i];
        if (value->old != NULL && value->column == NULL && strcasecmp(value->old, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What is said of the column `name` of the new form; NULL: nothing. */
static const struct mysql_change_value *value_of(const struct shadowing *self, const char *name)
{
    for (uint32_t i = 0; i < self->set->value_count; i++) {
        const struct mysql_change_value *value = &self->set->values[i];
        if (value->column != NULL && strcasecmp(value->column, name) == 0) {
            return value;
        }
    }
    return NULL;
}

static void pair_columns(struct shadowing *self)
{
    struct arena *arena = self->plan->arena;
    self->pairs = arena_allocate_zeroed(arena, self->after->column_count + 1, sizeof *self->pairs);
    self->carried =
        arena_allocate_zeroed(arena, self->after->column_count + 1, sizeof *self->carried);
    self->back = arena_allocate_zeroed(
        arena, self->table->column_count + self->after->column_count + 1, sizeof *self->back);
    for (uint32_t i = 0; i < self->after->column_count; i++) {
        const struct mysql_change_column *to = &self->after->columns[i];
        const struct mysql_change_value *value = value_of(self, to->name);
        const char *old = value != NULL && value->old != NULL ? value->old : to->name;
        bool fresh = (value != NULL && value->old == NULL) || is_dropped(self, old);
        struct mysql_change_pair pair = {.from = fresh && (value == NULL || value->old == NULL)
                                                     ? NULL
                                                     : mysql_change_column_of(self->table, old),
                                         .to = to,
                                         .up = value != NULL ? value->up : NULL,
                                         .down = value != NULL ? value->down : NULL};
        bool carries = pair.from != NULL || pair.up != NULL;
        if (carries && !to->generated) {
            self->pairs[self->pair_count++] = pair;
        }
        if (pair.from != NULL && pair.up == NULL) {
            self->carried[self->carried_count++] = pair;
        }
        if (pair.from != NULL && !pair.from->generated) {
            self->back[self->back_count++] = pair;
        }
    }
    /* columns that are dropped, with a way back */
    for (uint32_t i = 0; i < self->set->value_count; i++) {
        const struct mysql_change_value *value = &self->set->values[i];
        const struct mysql_change_column *from =
            value->column == NULL && value->down != NULL
                ? mysql_change_column_of(self->table, value->old)
                : NULL;
        if (from != NULL && !from->generated) {
            self->back[self->back_count++] =
                (struct mysql_change_pair){.from = from, .down = value->down};
        }
    }
}

static const struct mysql_change_pair *pair_from(const struct shadowing *self, const char *name)
{
    for (uint32_t i = 0; i < self->carried_count; i++) {
        if (strcasecmp(self->carried[i].from->name, name) == 0) {
            return &self->carried[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- the key */

/* An index of the new form that begins with these columns, in any order; NULL: there is none. */
static const char *index_for(const struct shadowing *self, const struct mysql_change_key *key)
{
    for (uint32_t i = 0; i < self->after->key_count; i++) {
        const struct mysql_change_key *index = &self->after->keys[i];
        uint32_t found = 0;
        for (uint32_t j = 0; j < key->count && j < index->count; j++) {
            for (uint32_t k = 0; k < key->count; k++) {
                const struct mysql_change_pair *pair = pair_from(self, key->columns[k]);
                found += pair != NULL && strcasecmp(pair->to->name, index->columns[j]) == 0;
            }
        }
        if (found == key->count) {
            return index->name;
        }
    }
    return NULL;
}

static bool is_walkable(const struct shadowing *self, const struct mysql_change_key *key)
{
    bool fits = key->unique && key->count > 0;
    for (uint32_t i = 0; i < key->count && fits; i++) {
        const struct mysql_change_column *column =
            mysql_change_column_of(self->table, key->columns[i]);
        fits = column != NULL && pair_from(self, column->name) != NULL &&
               strcmp(column->data_type, "float") != 0 && strcmp(column->data_type, "double") != 0;
    }
    return fits && index_for(self, key) != NULL;
}

static enum status choose_key(struct shadowing *self, struct error *error)
{
    for (uint32_t i = 0; i < self->table->key_count && self->key == NULL; i++) {
        if (is_walkable(self, &self->table->keys[i])) {
            self->key = &self->table->keys[i];
        }
    }
    if (self->key == NULL) {
        mysql_change_refuse(self->set, error,
                            "the table has to be copied, and no PRIMARY KEY or UNIQUE key without "
                            "NULLs leads from its rows to those of the new form");
        return error_hint(error, "give both forms one key over the same columns, which are no "
                                 "floats; or take the lock: an operation sql with lock: all");
    }
    for (uint32_t i = 0; i < self->key->count; i++) {
        self->key_pairs[i] = pair_from(self, self->key->columns[i]);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what is refused */

/* Rows that such a key writes or deletes no trigger sees. */
static const char *cascade_of_itself(const struct shadowing *self)
{
    for (uint32_t i = 0; i < self->table->outward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->outward[i];
        const char *clause = reference->clause != NULL ? reference->clause : " CASCADE";
        if (strcasecmp(reference->parent, self->table->name) == 0 &&
            (strstr(clause, " CASCADE") != NULL || strstr(clause, " SET NULL") != NULL)) {
            return reference->name;
        }
    }
    return NULL;
}

static enum status check(const struct shadowing *self, struct error *error)
{
    const struct mysql_change_table *table = self->table;
    struct buffer names = {0};
    if (strcmp(table->kind, "BASE TABLE") != 0 || strcasecmp(table->engine, "InnoDB") != 0) {
        return mysql_change_refuse(self->set, error,
                                   "the table has to be copied, and is %s%s: only plain tables of "
                                   "InnoDB are copied while they are written",
                                   strcmp(table->kind, "BASE TABLE") != 0 ? table->kind : "of ",
                                   strcmp(table->kind, "BASE TABLE") != 0 ? "" : table->engine);
    }
    for (uint32_t i = 0; i < table->trigger_count; i++) {
        buffer_format(&names, "%s%s", i > 0 ? ", " : "", table->triggers[i]);
    }
    if (table->trigger_count > 0) {
        mysql_change_refuse(self->set, error,
                            "the table has to be copied, and has triggers, which would be missing "
                            "for a moment at the switch: %.300s",
                            buffer_string(&names));
        buffer_free(&names);
        return error_hint(error, "drop them ahead of the change and make them again behind it");
    }
    buffer_free(&names);
    if (cascade_of_itself(self) != NULL) {
        return mysql_change_refuse(self->set, error,
                                   "the table has to be copied, and its foreign key %s refers to "
                                   "itself and writes or deletes rows that no trigger sees",
                                   cascade_of_itself(self));
    }
    for (uint32_t i = 0; i < table->inward_count; i++) {
        if (table->inward[i].clause == NULL) {
            return mysql_change_refuse(self->set, error,
                                       "the foreign key %s of %s refers to it from another "
                                       "database, and can't be led over",
                                       table->inward[i].name, table->inward[i].table);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- lists for SQL */

static void append_into(struct buffer *sql, const struct mysql_change_pair *pairs, uint32_t count,
                        bool down)
{
    for (uint32_t i = 0; i < count; i++) {
        mysql_append(sql, "%s%n", i > 0 ? ", " : "",
                     down ? pairs[i].from->name : pairs[i].to->name);
    }
}

static void append_values(struct buffer *sql, const struct shadowing *self, bool down,
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
static void append_where(struct buffer *sql, const struct shadowing *self, bool down,
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

/* Of a table that was empty a moment ago the server would rather read all, and lock it. */
static const char *index_of(const struct shadowing *self, bool down)
{
    return down ? self->key->name : index_for(self, self->key);
}

/* In the order that they are made in: a row that an INSERT brings into the shadow has to be deleted
 * with its own. */
enum event { ON_DELETE, ON_UPDATE, ON_INSERT, EVENT_COUNT };
static const char *const event_names[EVENT_COUNT] = {"DELETE", "UPDATE", "INSERT"};
static const char *const forward_suffixes[EVENT_COUNT] = {"_del", "_upd", "_ins"};
static const char *const back_suffixes[EVENT_COUNT] = {"_bdel", "_bupd", "_bins"};

/* The key of the row into the queue that belongs to the direction. */
static void append_enqueue(struct buffer *sql, const struct shadowing *self, bool down,
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
static void append_check(struct buffer *sql, const struct shadowing *self, bool down, bool updates)
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

/* What a parent's key refuses is refused in the new form as well. A statement that began while the
 * triggers were dropped may find no table behind them any more. MySQL tells a value that is too
 * long as a warning's number (1265), though it fails. */
static void append_handler(struct buffer *sql, const struct shadowing *self, bool down,
                           enum event event)
{
    buffer_append_string(sql, "  DECLARE code INT;\n  DECLARE words TEXT;\n");
    buffer_append_string(sql, "  DECLARE strictness VARCHAR(8);\n"
                              "  DECLARE EXIT HANDLER FOR 1146 SET @_transhume_at = NULL;\n"
                              "  DECLARE EXIT HANDLER FOR SQLEXCEPTION, 1265 BEGIN\n"
                              "    GET DIAGNOSTICS CONDITION 1 code = MYSQL_ERRNO, words = "
                              "MESSAGE_TEXT;\n    SET @_transhume_at = NULL;\n");
    if (down) {
        buffer_append_string(sql, "    IF code IN (1451, 1452) THEN RESIGNAL; END IF;\n");
    }
    mysql_append(sql,
                 "    SELECT mode INTO strictness FROM %n WHERE id = 1 LOCK IN SHARE MODE;\n"
                 "    IF strictness = '%s' THEN RESIGNAL; END IF;\n",
                 self->mode, down ? "back" : "strict");
    if (event != ON_INSERT) {
        buffer_append_string(sql, "    ");
        append_enqueue(sql, self, down, "OLD.");
    }
    if (event != ON_DELETE) {
        buffer_append_string(sql, "    ");
        append_enqueue(sql, self, down, "NEW.");
    }
    buffer_append_string(sql, "  END;\n");
}

static void append_insert(struct buffer *sql, const struct shadowing *self, bool down)
{
    mysql_append(sql, "INSERT INTO %n (", down ? self->old : self->shadow);
    append_into(sql, down ? self->back : self->pairs, down ? self->back_count : self->pair_count,
                down);
    buffer_append_string(sql, ") VALUES (");
    append_values(sql, self, down, "NEW.");
    buffer_append_string(sql, ");\n");
    append_check(sql, self, down, false);
}

static void append_delete(struct buffer *sql, const struct shadowing *self, bool down)
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
static void append_unwritten(struct buffer *sql, const struct shadowing *self, bool down)
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
static void append_update(struct buffer *sql, const struct shadowing *self, bool down)
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

static void append_body(struct buffer *sql, const struct shadowing *self, bool down,
                        enum event event)
{
    buffer_append_string(sql, "BEGIN\n");
    append_handler(sql, self, down, event);
    buffer_format(sql,
                  "  IF NOT (@_transhume_at <=> NOW(6))%s THEN\n"
                  "    SET @_transhume_at = NOW(6);\n    ",
                  " AND " MYSQL_CHANGE_COPIES " IS NULL");
    if (event == ON_INSERT) {
        append_insert(sql, self, down);
    } else if (event == ON_UPDATE) {
        append_update(sql, self, down);
    } else {
        append_delete(sql, self, down);
    }
    buffer_append_string(sql, "    SET @_transhume_at = NULL;\n  END IF;\nEND");
}

static const char *drop_trigger(const struct shadowing *self, const char *name)
{
    struct buffer sql = {0};
    mysql_append(&sql, "DROP TRIGGER IF EXISTS %n", name);
    return mysql_change_text(self->plan, &sql);
}

static const char *trigger_stands(const struct shadowing *self, const char *name)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = %q AND "
                 "trigger_name = %q",
                 self->plan->session->database->sql.schema, name);
    return mysql_change_text(self->plan, &sql);
}

static void add_triggers(struct shadowing *self, bool down)
{
    for (int i = 0; i < EVENT_COUNT; i++) {
        const char *name = mysql_change_name(self->plan, self->table->name,
                                             (down ? back_suffixes : forward_suffixes)[i]);
        struct buffer sql = {0};
        mysql_append(&sql, "CREATE TRIGGER %n AFTER %s ON %n FOR EACH ROW ", name, event_names[i],
                     down ? self->shadow : self->table->name);
        append_body(&sql, self, down, (enum event)i);
        mysql_change_add(
            self->plan,
            &(struct change_step){.phase = down ? CHANGE_SWITCH_WRITES : CHANGE_EXPAND,
                                  .operation = self->set->operation,
                                  .title = arena_format(self->plan->arena, "trigger on %s of %s%s",
                                                        event_names[i], down ? "the new " : "",
                                                        self->table->name),
                                  .text = mysql_change_text(self->plan, &sql),
                                  .undo = drop_trigger(self, name),
                                  .stands = trigger_stands(self, name),
                                  .settings = self->settings,
                                  .lock = ALTER_LOCK_ALL,
                                  .alone = true});
    }
}

/* ---------------------------------------------------------------- tables */

static const char *drop_table(const struct shadowing *self, const char *name)
{
    struct buffer sql = {0};
    mysql_append(&sql, "DROP TABLE IF EXISTS %n", name);
    return mysql_change_text(self->plan, &sql);
}

static void add_statement(struct shadowing *self, enum change_phase phase, const char *title,
                          struct buffer *sql, const char *undo, const char *stands)
{
    mysql_change_add(self->plan, &(struct change_step){.phase = phase,
                                                       .operation = self->set->operation,
                                                       .title = title,
                                                       .text = mysql_change_text(self->plan, sql),
                                                       .undo = undo,
                                                       .stands = stands,
                                                       .settings = self->settings,
                                                       .alone = true});
}

/* A foreign key of the table itself is one of the shadow as well, by another name, since both stand
 * side by side. One that the server named follows the table's name when it is renamed. */
static bool names_itself(const struct mysql_change_reference *reference, const char *table)
{
    size_t length = strlen(table);
    return strncmp(reference->name, table, length) == 0 &&
           strncmp(reference->name + length, "_ibfk_", 6) == 0;
}

static bool is_of_itself(const struct shadowing *self,
                         const struct mysql_change_reference *reference)
{
    return strcasecmp(reference->parent, self->table->name) == 0;
}

static void append_reference(struct buffer *sql, const struct shadowing *self,
                             const struct mysql_change_reference *reference, const char *name)
{
    const char *rest = strstr(reference->clause, " FOREIGN KEY ");
    (void)self;
    mysql_append(sql, "CONSTRAINT %n%s", name, rest);
}

static const char *shadow_reference_name(const struct shadowing *self,
                                         const struct mysql_change_reference *reference)
{
    return names_itself(reference, self->table->name)
               ? arena_format(self->plan->arena, "%s%s", self->shadow,
                              reference->name + strlen(self->table->name))
               : mysql_change_name(self->plan, reference->name, "_fk");
}

/* Does the column count up? It has to be the first one of a key. */
static bool counts_up(const struct shadowing *self, const char *name)
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
static bool is_later(const struct shadowing *self, const char *line, size_t length)
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
            return strcmp(key->name, index_for(self, self->key)) != 0 &&
                   (key->count == 0 || !counts_up(self, key->columns[0]));
        }
    }
    return false;
}

/* A check that the server named follows its table's name when it is renamed, if it has it. */
static void append_line(struct buffer *sql, const struct shadowing *self, const char *line,
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
static uint32_t append_lines(struct buffer *sql, const struct shadowing *self, const char *begin,
                             const char *end, bool later)
{
    uint32_t count = 0;
    for (const char *line = begin; line < end;) {
        size_t length = 1 + strcspn(line + 1, "\n");
        size_t bare = length - (line[length - 1] == ',' ? 1 : 0);
        if (is_later(self, line, length) == later) {
            buffer_append_string(sql, count > 0 ? "," : "");
            buffer_append_string(sql, later ? "\n  ADD" : "");
            append_line(sql, self, line + (later ? 2 : 0), bare - (later ? 2 : 0));
            count++;
        }
        line += length;
    }
    return count;
}

/* SHOW CREATE TABLE of the trial under the shadow's name, with the foreign keys. */
static void append_create(struct buffer *sql, const struct shadowing *self)
{
    const char *body = strstr(self->after->statement, "(\n");
    const char *end = strstr(body, "\n) ");
    mysql_append(sql, "CREATE TABLE IF NOT EXISTS %n (", self->shadow);
    append_lines(sql, self, body + 1, end, false);
    for (uint32_t i = 0; i < self->table->outward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->outward[i];
        if (reference->clause != NULL && !is_of_itself(self, reference) &&
            !mysql_change_is_unlinked(self->set, reference->name)) {
            buffer_append_string(sql, ",\n  ");
            append_reference(sql, self, reference, shadow_reference_name(self, reference));
        }
    }
    buffer_append_string(sql, end);
}

static void append_key_columns(struct buffer *sql, const struct shadowing *self, bool down)
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

static void add_queue(struct shadowing *self, const char *name, bool down)
{
    struct buffer sql = {0};
    mysql_append(
        &sql,
        "CREATE TABLE IF NOT EXISTS %n (_n bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY "
        "KEY",
        name);
    append_key_columns(&sql, self, down);
    buffer_append_string(&sql, ", _code int, _words text) ENGINE=InnoDB");
    add_statement(self, CHANGE_EXPAND,
                  down ? "the queue of the way back" : "the queue of rows that do not fit", &sql,
                  drop_table(self, name), NULL);
}

static void add_tables(struct shadowing *self)
{
    struct buffer sql = {0};
    append_create(&sql, self);
    add_statement(self, CHANGE_EXPAND, "the new form, as a table beside it", &sql,
                  drop_table(self, self->shadow), NULL);
    add_queue(self, self->queue, false);
    add_queue(self, self->back_queue, true);
    mysql_append(&sql,
                 "CREATE TABLE IF NOT EXISTS %n (id int NOT NULL PRIMARY KEY, mode varchar(8) NOT "
                 "NULL) ENGINE=InnoDB",
                 self->mode);
    add_statement(self, CHANGE_EXPAND, "how strict its triggers are", &sql,
                  drop_table(self, self->mode), NULL);
    mysql_append(&sql, "REPLACE INTO %n VALUES (1, 'lenient')", self->mode);
    add_statement(self, CHANGE_EXPAND, "they fail nobody", &sql, NULL, NULL);
}

/* ---------------------------------------------------------------- batches */

/* What is there is carried over as it is, zero dates and numbers 0 included; what would be cut
 * fails. A proof looks at both tables as of one moment. */
static const char *settings(const struct shadowing *self, bool proves)
{
    const struct mysql_database *database = self->plan->session->database;
    bool old = database->mariadb ? database->version < 110101 : database->version < 50720;
    const char *isolation = old ? "tx_isolation" : "transaction_isolation";
    return arena_format(self->plan->arena,
                        "SET " MYSQL_CHANGE_COPIES
                        " = 1, SESSION sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,"
                        "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
                        "foreign_key_checks = 0, %s = '%s'",
                        isolation,
                        proves || database->statement_log ? "REPEATABLE-READ" : "READ-COMMITTED");
}

static const char *quoted(const struct shadowing *self, const char *name)
{
    struct buffer sql = {0};
    mysql_append(&sql, "%n", name);
    return mysql_change_text(self->plan, &sql);
}

static const char *prefixed(const struct shadowing *self, const char *prefix, const char *name)
{
    struct buffer sql = {0};
    mysql_append(&sql, "%s%n", prefix, name);
    return mysql_change_text(self->plan, &sql);
}

static bool is_tight(const struct shadowing *self)
{
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        bool same_text = pair->from->collation == NULL
                             ? pair->to->collation == NULL
                             : pair->to->collation != NULL &&
                                   strcmp(pair->from->collation, pair->to->collation) == 0;
        if (!same_text || strcmp(pair->from->data_type, pair->to->data_type) != 0 ||
            ((strcmp(pair->from->data_type, "enum") == 0 ||
              strcmp(pair->from->data_type, "set") == 0) &&
             strcmp(pair->from->type, pair->to->type) != 0)) {
            return false;
        }
    }
    return true;
}

static void list_key(const struct shadowing *self, struct sql_shadow *words)
{
    for (uint32_t i = 0; i < self->key->count; i++) {
        const struct mysql_change_pair *pair = self->key_pairs[i];
        struct buffer literal = {0};
        struct buffer at = {0};
        mysql_change_append_literal(&literal, pair->from);
        mysql_change_append_value(&at, self->table, pair, "t.", false, self->time_zone);
        words->key.items[words->key.count++] = prefixed(self, "t.", pair->from->name);
        words->literal.items[words->literal.count++] = mysql_change_text(self->plan, &literal);
        words->at.items[words->at.count++] = mysql_change_text(self->plan, &at);
        words->shadow_key.items[words->shadow_key.count++] = prefixed(self, "s.", pair->to->name);
        words->queue_key.items[words->queue_key.count++] = prefixed(self, "q.", pair->from->name);
    }
}

static const char *lock_words(const struct mysql_database *database)
{
    if (database->mariadb) {
        return database->version >= 100300 ? " LOCK IN SHARE MODE NOWAIT" : " LOCK IN SHARE MODE";
    }
    return database->version >= 80001 ? " FOR SHARE NOWAIT" : " LOCK IN SHARE MODE";
}

/* A log of statements can't say which rows were passed over. */
static const char *skip_words(const struct mysql_database *database)
{
    bool skips = database->version >= (database->mariadb ? 100600u : 80001u);
    if (!skips || database->statement_log) {
        return "";
    }
    return database->mariadb ? " LOCK IN SHARE MODE SKIP LOCKED" : " FOR SHARE SKIP LOCKED";
}

static const char *differs(const struct shadowing *self)
{
    struct buffer sql = {0};
    buffer_append_byte(&sql, '(');
    for (uint32_t i = 0; i < self->pair_count; i++) {
        buffer_append_string(&sql, i > 0 ? " OR " : "");
        mysql_change_append_differs(&sql, self->table, &self->pairs[i], "t.", self->time_zone);
    }
    buffer_append_byte(&sql, ')');
    return mysql_change_text(self->plan, &sql);
}

static void add_batches(struct shadowing *self, enum change_phase phase, enum sql_shadow_kind kind,
                        const char *title)
{
    struct buffer into = {0};
    struct buffer values = {0};
    append_into(&into, self->pairs, self->pair_count, false);
    append_values(&values, self, false, "t.");
    struct sql_shadow words = {
        .kind = kind,
        .table = quoted(self, self->table->name),
        .shadow = quoted(self, self->shadow),
        .queue = quoted(self, self->queue),
        .hint = arena_format(self->plan->arena, "FORCE INDEX (%s)", quoted(self, self->key->name)),
        .shadow_hint = arena_format(self->plan->arena, "FORCE INDEX (%s)",
                                    quoted(self, index_for(self, self->key))),
        .lock = lock_words(self->plan->session->database),
        .skip = skip_words(self->plan->session->database),
        .into = mysql_change_text(self->plan, &into),
        .values = mysql_change_text(self->plan, &values),
        .differs = kind == SQL_SHADOW_PROVE ? differs(self) : "",
        .tight = is_tight(self)};
    list_key(self, &words);
    mysql_change_add(self->plan, &(struct change_step){
                                     .phase = phase,
                                     .kind = CHANGE_BATCHES,
                                     .operation = self->set->operation,
                                     .title = title,
                                     .text = sql_shadow_write(&words, self->plan->arena),
                                     .settings = kind == SQL_SHADOW_PROVE ? settings(self, true)
                                                                          : self->settings,
                                     .rewrites = kind == SQL_SHADOW_COPY});
}

/* ---------------------------------------------------------------- indexes behind the copy */

static void add_indexes(struct shadowing *self)
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
        add_statement(self, CHANGE_FILL, "the indexes of the new form", &sql, NULL,
                      mysql_change_text(self->plan, &stands));
    }
    buffer_free(&sql);
    buffer_free(&stands);
}

/* ---------------------------------------------------------------- the switch */

/* There is no table of that name any more, and one of the other. */
static const char *gone_stands(const struct shadowing *self, const char *gone, const char *there)
{
    const char *schema = self->plan->session->database->sql.schema;
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = %q "
                 "AND table_name = %q) = 0 AND (SELECT count(*) FROM information_schema.tables "
                 "WHERE table_schema = %q AND table_name = %q) = 1",
                 schema, gone, schema, there);
    return mysql_change_text(self->plan, &sql);
}

static void append_rename(struct buffer *sql, const char *now, const char *then, const char *fresh)
{
    mysql_append(sql, "RENAME TABLE %n TO %n, %n TO %n", now, then, fresh, now);
}

static void add_undo(struct shadowing *self, const char *title, struct buffer *undo)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DO 0");
    add_statement(self, CHANGE_SWITCH_WRITES, title, &sql, mysql_change_text(self->plan, undo),
                  NULL);
}

/* " ON q.key = alias.key", as the new form has it. */
static void append_on_queue(struct buffer *sql, const struct shadowing *self, const char *alias)
{
    for (uint32_t i = 0; i < self->key->count; i++) {
        mysql_append(sql, "%s%s.%n = q.%n", i > 0 ? " AND " : " ON ", alias,
                     self->key_pairs[i]->to->name, self->key_pairs[i]->to->name);
    }
}

/* On the way back writes have to fit the old form again, and rows that did not are copied once
 * more: what it can't hold keeps the tables from being renamed back. The last one is undone first.
 */
static void add_way_back(struct shadowing *self)
{
    struct buffer undo = {0};
    mysql_append(&undo, "INSERT INTO %n (", self->old);
    append_into(&undo, self->back, self->back_count, true);
    buffer_append_string(&undo, ") SELECT DISTINCT ");
    append_values(&undo, self, true, "t.");
    mysql_append(&undo, " FROM %n AS q JOIN %n AS t", self->back_queue, self->table->name);
    append_on_queue(&undo, self, "t");
    buffer_append_string(&undo, " ON DUPLICATE KEY UPDATE ");
    for (uint32_t i = 0; i < self->back_count; i++) {
        const char *name = self->back[i].from->name;
        mysql_append(&undo, "%s%n = VALUES(%n)", i > 0 ? ", " : "", name, name);
    }
    add_undo(self, "the way back: rows that did not fit the old form, once more", &undo);
    mysql_append(&undo, "DELETE s FROM %n AS s JOIN %n AS q ON ", self->old, self->back_queue);
    for (uint32_t i = 0; i < self->key->count; i++) {
        buffer_append_string(&undo, i > 0 ? " AND " : "");
        mysql_append(&undo, "s.%n = ", self->key_pairs[i]->from->name);
        mysql_change_append_value(&undo, self->after, self->key_pairs[i], "q.", true,
                                  self->time_zone);
    }
    mysql_append(&undo, " LEFT JOIN %n AS t", self->table->name);
    append_on_queue(&undo, self, "t");
    mysql_append(&undo, " WHERE t.%n IS NULL", self->key_pairs[0]->to->name);
    add_undo(self, "the way back: rows that are gone", &undo);
    mysql_append(&undo, "UPDATE %n SET mode = 'back' WHERE id = 1", self->mode);
    add_undo(self, "the way back: writes have to fit the old form again", &undo);
}

static void add_switch(struct shadowing *self)
{
    struct buffer sql = {0};
    struct buffer undo = {0};
    add_triggers(self, true);
    mysql_append(&undo, "UPDATE %n SET mode = 'lenient' WHERE id = 1", self->mode);
    mysql_append(&sql, "UPDATE %n SET mode = 'strict' WHERE id = 1", self->mode);
    add_statement(self, CHANGE_SWITCH_WRITES, "from now on writes have to fit the new form", &sql,
                  mysql_change_text(self->plan, &undo), NULL);
    add_batches(self, CHANGE_SWITCH_WRITES, SQL_SHADOW_MEND, "rows that did not fit, once more");
    append_rename(&sql, self->table->name, self->old, self->shadow);
    append_rename(&undo, self->table->name, self->shadow, self->old);
    add_statement(self, CHANGE_SWITCH_WRITES, "both tables change their names", &sql,
                  mysql_change_text(self->plan, &undo), gone_stands(self, self->shadow, self->old));
    add_way_back(self);
}

/* ---------------------------------------------------------------- the end */

/* Foreign keys that referred to the old table, or stood by another name, as one ALTER of their
 * table that looks at no rows. */
static void add_reference_swap(struct shadowing *self, const char *table,
                               const struct mysql_change_reference *reference, const char *drop)
{
    struct buffer sql = {0};
    struct buffer stands = {0};
    const char *schema = self->plan->session->database->sql.schema;
    const char *spare = mysql_change_name(self->plan, reference->name, "_fk2");
    bool renames = drop != NULL && strcmp(drop, reference->name) == 0;
    const char *name = renames ? spare : reference->name;
    mysql_append(&sql, "ALTER TABLE %n ", table);
    if (drop != NULL) {
        mysql_append(&sql, "DROP FOREIGN KEY %n, ", drop);
    }
    buffer_append_string(&sql, "ADD ");
    append_reference(&sql, self, reference, name);
    buffer_append_string(&sql, ", ALGORITHM=INPLACE, LOCK=NONE");
    mysql_append(&stands,
                 "SELECT count(*) FROM information_schema.referential_constraints WHERE "
                 "constraint_schema = %q AND table_name = %q AND constraint_name = %q",
                 schema, table, name);
    add_statement(
        self, CHANGE_CONTRACT,
        arena_format(self->plan->arena, "the foreign key %s of %s", reference->name, table), &sql,
        NULL, mysql_change_text(self->plan, &stands));
    if (renames) { /* back to its own name */
        struct mysql_change_reference own = *reference;
        add_reference_swap(self, table, &own, spare);
    }
}

static void add_contract(struct shadowing *self)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < self->table->inward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->inward[i];
        add_reference_swap(self, reference->table, reference, reference->name);
    }
    for (int i = 0; i < EVENT_COUNT; i++) {
        buffer_append_string(
            &sql,
            drop_trigger(self, mysql_change_name(self->plan, self->table->name, back_suffixes[i])));
        add_statement(self, CHANGE_CONTRACT, "the old form is fed no more", &sql, NULL, NULL);
    }
    const char *const tables[] = {self->old, self->queue, self->back_queue, self->mode};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        buffer_append_string(&sql, drop_table(self, tables[i]));
        add_statement(self, CHANGE_CONTRACT, arena_format(self->plan->arena, "drop %s", tables[i]),
                      &sql, NULL, NULL);
    }
    for (uint32_t i = 0; i < self->table->outward_count; i++) {
        const struct mysql_change_reference *reference = &self->table->outward[i];
        const char *now =
            is_of_itself(self, reference) ? NULL : shadow_reference_name(self, reference);
        if (reference->clause != NULL && !mysql_change_is_unlinked(self->set, reference->name) &&
            (now == NULL || !names_itself(reference, self->table->name))) {
            add_reference_swap(self, self->table->name, reference, now);
        }
    }
}

/* ---------------------------------------------------------------- all of it */

static enum status ask_zone(struct shadowing *self, struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    buffer_append_string(&sql, "SELECT @@session.time_zone");
    enum status status =
        mysql_change_query(&self->plan->session->base, &sql, self->plan->arena, &rows, error);
    self->time_zone = status == STATUS_OK && rows.count > 0 ? rows.cells[0][0] : "SYSTEM";
    return status;
}

enum status mysql_change_plan_shadow(struct mysql_change_plan *plan,
                                     const struct mysql_change_set *set,
                                     const struct mysql_change_table *table,
                                     const struct mysql_change_trial *trial, struct error *error)
{
    struct shadowing self = {.plan = plan,
                             .set = set,
                             .table = table,
                             .after = &trial->after,
                             .shadow = mysql_change_name(plan, table->name, ""),
                             .old = mysql_change_name(plan, table->name, "_old"),
                             .queue = mysql_change_name(plan, table->name, "_queue"),
                             .back_queue = mysql_change_name(plan, table->name, "_back"),
                             .mode = mysql_change_name(plan, table->name, "_mode")};
    enum status status = check(&self, error);
    if (status == STATUS_OK) {
        pair_columns(&self);
        status = choose_key(&self, error);
    }
    status = status == STATUS_OK ? ask_zone(&self, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    self.settings = settings(&self, false);
    add_tables(&self);
    add_triggers(&self, false);
    add_batches(&self, CHANGE_FILL, SQL_SHADOW_COPY, "copy the rows that are there");
    add_indexes(&self);
    add_batches(&self, CHANGE_FILL, SQL_SHADOW_MEND, "rows that did not fit, once more");
    struct buffer sql = {0};
    mysql_append(&sql, "ANALYZE TABLE %n", self.shadow);
    add_statement(&self, CHANGE_FILL, "statistics of the new form", &sql, NULL, NULL);
    add_batches(&self, CHANGE_PROVE, SQL_SHADOW_PROVE, "compare both forms row by row");
    add_switch(&self);
    add_contract(&self);
    mysql_change_tell(plan, set->operation,
                      arena_format(plan->arena,
                                   "a shadow table, fed by triggers, copied by %s, one RENAME",
                                   self.key->name),
                      trial->refusal);
    return STATUS_OK;
}
