/* The batches of a copied table: the words that sql/shadow.h carries out. */
#include "connectors/mysql/change/change_shadow.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- batches */

/* A value is carried over as it is, zero dates and numbers 0 included; one that would be cut fails.
 * A proof looks at both tables as of one moment. */
const char *mysql_shadow_settings(const struct mysql_shadow *self, bool proves)
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

static const char *quoted(const struct mysql_shadow *self, const char *name)
{
    return mysql_change_text(self->plan, mysql_sql("%n", name));
}

static const char *prefixed(const struct mysql_shadow *self, const char *prefix, const char *name)
{
    return mysql_change_text(self->plan, mysql_sql("%s%n", prefix, name));
}

static bool is_tight(const struct mysql_shadow *self)
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

static void list_key(const struct mysql_shadow *self, struct sql_shadow *words)
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

static const char *differs(const struct mysql_shadow *self)
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

const char *mysql_shadow_set_mode(const struct mysql_shadow *self, const char *mode)
{
    return mysql_change_text(self->plan,
                             mysql_sql("UPDATE %n SET mode = %q WHERE id = 1", self->mode, mode));
}

void mysql_shadow_add_batches(struct mysql_shadow *self, enum change_phase phase,
                              enum sql_shadow_kind kind, const char *title)
{
    bool reads = kind == SQL_SHADOW_PROVE || kind == SQL_SHADOW_CLOSE;
    struct buffer into = {0};
    struct buffer values = {0};
    mysql_shadow_append_columns(&into, self->pairs, self->pair_count, false);
    mysql_shadow_append_values(&values, self, false, "t.");
    struct sql_shadow words = {
        .kind = kind,
        .table = quoted(self, self->table->name),
        .shadow = quoted(self, self->shadow),
        .queue = quoted(self, self->queue),
        .hint = arena_format(self->plan->arena, "FORCE INDEX (%s)", quoted(self, self->key->name)),
        .shadow_hint = arena_format(self->plan->arena, "FORCE INDEX (%s)",
                                    quoted(self, mysql_shadow_index_for(self, self->key))),
        .lock = lock_words(self->plan->session->database),
        .skip = skip_words(self->plan->session->database),
        .into = mysql_change_text(self->plan, &into),
        .values = mysql_change_text(self->plan, &values),
        .differs = kind == SQL_SHADOW_PROVE ? differs(self) : "",
        .strict = kind == SQL_SHADOW_CLOSE ? mysql_shadow_set_mode(self, "strict") : NULL,
        .lenient = kind == SQL_SHADOW_CLOSE ? mysql_shadow_set_mode(self, "lenient") : NULL,
        .form = kind == SQL_SHADOW_CLOSE ? self->form : NULL,
        .tight = is_tight(self)};
    list_key(self, &words);
    mysql_change_add(
        self->plan,
        &(struct change_step){
            .phase = phase,
            .kind = CHANGE_BATCHES,
            .operation = self->set->operation,
            .title = title,
            .text = sql_shadow_write(&words, self->plan->arena),
            .settings = mysql_shadow_settings(self, reads),
            .undo = kind == SQL_SHADOW_CLOSE ? mysql_shadow_set_mode(self, "lenient") : NULL,
            .held = reads && phase == CHANGE_SWITCH_WRITES,
            .repeats = kind == SQL_SHADOW_PROVE && phase == CHANGE_SWITCH_WRITES,
            .rewrites = kind == SQL_SHADOW_COPY});
}
