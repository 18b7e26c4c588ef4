/* Statements for tables: all that changes in one, in one ALTER TABLE. */
#include "connectors/mysql/schema/definitions.h"
#include <string.h>
#include <strings.h>

/* MySQL and MariaDB from these versions on add a column without touching the rows. */
enum { INSTANT_MYSQL = 80012, INSTANT_MARIADB = 100302 };

/* The clauses of an ALTER TABLE, as they come. */
struct clauses {
    struct buffer text;
    uint32_t count;
    uint32_t keys; /* of them: keys that are built or dropped beside writers */
    uint32_t adds; /* columns that no row is touched for */
};

static const char *text_of(const struct definition *item)
{
    const char *whole = definition_fact(item, "_text");
    const char *text = whole != NULL ? whole : definition_fact(item, "definition");
    return text != NULL ? text : "";
}

static void begin_clause(struct clauses *clauses)
{
    buffer_append_string(&clauses->text, clauses->count++ > 0 ? ",\n    " : "\n    ");
}

static const struct definition *partner(const struct definitions *in, uint32_t owner,
                                        const struct definition *part)
{
    uint32_t at = 0;
    const struct definition *other;
    while ((other = sql_definitions_of(in, owner, part->kind, &at)) != NULL) {
        if (strcasecmp(other->name, part->name) == 0) {
            return other;
        }
    }
    return NULL;
}

static bool is_kind(const struct definition *item, const char *kind)
{
    return strcmp(item->kind, kind) == 0;
}

static bool begins(const char *text, const char *words)
{
    return strncmp(text, words, strlen(words)) == 0;
}

/* ---------------------------------------------------------------- making */

enum status mysql_create_table(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    static const char *const kinds[] = {"column", "period", "index", "check"};
    const struct definitions *to = emission->change->to;
    uint32_t owner = sql_definition_number(to, after);
    const char *options = definition_fact(after, "options");
    const char *partitions = definition_fact(after, "partitions");
    struct buffer sql = {0};
    bool first = true;
    (void)before;
    mysql_append(&sql, "CREATE TABLE %n (", after->name);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct definition *part;
        uint32_t at = 0;
        while ((part = sql_definitions_of(to, owner, kinds[i], &at)) != NULL) {
            buffer_format(&sql, "%s\n    %s", first ? "" : ",", text_of(part));
            first = false;
        }
    }
    buffer_append_string(&sql, "\n)");
    if (options != NULL) {
        buffer_format(&sql, " %s", options);
    }
    if (partitions != NULL) {
        buffer_format(&sql, "\n%s", partitions);
    }
    sql_emit(emission, &sql, ALTER_LOCK_NONE);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the order of columns */

/* The columns of a table as they stand, while they are altered. */
struct row_order {
    const struct definition **columns;
    uint32_t count;
};

static struct row_order order_of(const struct definition_change *change, struct arena *arena)
{
    uint32_t before = sql_definition_number(change->from, change->before);
    uint32_t after = sql_definition_number(change->to, change->after);
    struct row_order order = {0};
    const struct definition *column;
    uint32_t at = 0;
    uint32_t room = change->from->count + change->to->count + 1;
    order.columns = arena_allocate_zeroed(arena, room, sizeof *order.columns);
    while ((column = sql_definitions_of(change->from, before, "column", &at)) != NULL) {
        if (partner(change->to, after, column) != NULL) {
            order.columns[order.count++] = column;
        }
    }
    return order;
}

static uint32_t place_in(const struct row_order *order, const struct definition *column)
{
    uint32_t place = 0;
    while (place < order->count && strcasecmp(order->columns[place]->name, column->name) != 0) {
        place++;
    }
    return place;
}

static void put_at(struct row_order *order, uint32_t place, const struct definition *column)
{
    uint32_t old_place = place_in(order, column);
    if (old_place < order->count) {
        memmove(&order->columns[old_place], &order->columns[old_place + 1],
                (order->count - old_place - 1) * sizeof *order->columns);
        order->count--;
    }
    memmove(&order->columns[place + 1], &order->columns[place],
            (order->count - place) * sizeof *order->columns);
    order->columns[place] = column;
    order->count++;
}

bool mysql_definition_differs(const struct definition_change *change)
{
    uint32_t after = sql_definition_number(change->to, change->after);
    const struct definition *column;
    uint32_t at = 0;
    uint32_t place = 0;
    if (!is_kind(change->after, "table")) {
        return false;
    }
    struct arena *arena = arena_create(0);
    struct row_order order = order_of(change, arena);
    bool differs = false;
    while ((column = sql_definitions_of(change->to, after, "column", &at)) != NULL) {
        uint32_t found = place_in(&order, column);
        if (found < order.count) {
            differs = differs || found != place;
            place++;
        }
    }
    arena_destroy(arena);
    return differs;
}

/* ---------------------------------------------------------------- columns */

/* "VIRTUAL", "STORED" or "" */
static const char *generation(const struct definition *column)
{
    const char *text = text_of(column);
    if (strstr(text, " GENERATED ALWAYS AS (") == NULL && strstr(text, " AS (") == NULL) {
        return "";
    }
    return strstr(text, " STORED") != NULL || strstr(text, " PERSISTENT") != NULL ? "STORED"
                                                                                  : "VIRTUAL";
}

static void append_place(struct clauses *clauses, const struct row_order *order, uint32_t place)
{
    if (place == 0) {
        buffer_append_string(&clauses->text, " FIRST");
    } else {
        mysql_append(&clauses->text, " AFTER %n", order->columns[place - 1]->name);
    }
}

/* A value that is the same for all rows, and is not one that strict modes refuse. */
static bool is_added_at_once(const struct definition *column)
{
    const char *text = text_of(column);
    return generation(column)[0] == '\0' && strstr(text, "AUTO_INCREMENT") == NULL &&
           strstr(text, " DEFAULT (") == NULL && strstr(text, " DEFAULT uuid") == NULL &&
           (strstr(text, " NOT NULL") == NULL || strstr(text, " DEFAULT ") != NULL);
}

static void add_column(struct clauses *clauses, struct row_order *order, uint32_t place,
                       const struct definition *column)
{
    bool last = place == order->count;
    begin_clause(clauses);
    buffer_format(&clauses->text, "ADD COLUMN %s", text_of(column));
    put_at(order, place, column);
    if (!last) {
        append_place(clauses, order, place);
    }
    clauses->adds += last && is_added_at_once(column);
}

static void drop_column(struct clauses *clauses, const struct definition *column)
{
    begin_clause(clauses);
    mysql_append(&clauses->text, "DROP COLUMN %n", column->name);
}

static void alter_columns(struct clauses *clauses, const struct sql_emission *emission)
{
    const struct definition_change *change = emission->change;
    uint32_t before = sql_definition_number(change->from, change->before);
    uint32_t after = sql_definition_number(change->to, change->after);
    struct row_order order = order_of(change, emission->arena);
    const struct definition *column;
    uint32_t place = 0;
    uint32_t at = 0;
    while ((column = sql_definitions_of(change->from, before, "column", &at)) != NULL) {
        if (partner(change->to, after, column) == NULL) {
            drop_column(clauses, column);
        }
    }
    at = 0;
    while ((column = sql_definitions_of(change->to, after, "column", &at)) != NULL) {
        const struct definition *old_column = partner(change->from, before, column);
        bool moved = place_in(&order, column) != place;
        if (old_column != NULL && strcmp(generation(old_column), generation(column)) != 0) {
            drop_column(clauses, old_column);
            memmove(&order.columns[place_in(&order, column)],
                    &order.columns[place_in(&order, column) + 1],
                    (order.count - place_in(&order, column) - 1) * sizeof *order.columns);
            order.count--;
            add_column(clauses, &order, place, column);
        } else if (old_column == NULL) {
            add_column(clauses, &order, place, column);
        } else if (moved || !definition_is_equal(old_column, column)) {
            begin_clause(clauses);
            buffer_format(&clauses->text, "MODIFY COLUMN %s", text_of(column));
            put_at(&order, place, column);
            if (moved) {
                append_place(clauses, &order, place);
            }
        }
        place++;
    }
}

enum status mysql_rename_column(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    struct buffer sql = {0};
    struct buffer old_name = {0};
    mysql_append(&old_name, "%n", before->name);
    mysql_append(&sql, "ALTER TABLE %n CHANGE COLUMN %n %n%s", before->table, before->name,
                 after->name, text_of(before) + old_name.length);
    buffer_free(&old_name);
    sql_emit(emission, &sql, ALTER_LOCK_NONE);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- keys, checks, periods */

/* Keys of expressions, and MariaDB's of long values, have a hidden column. */
static bool is_built_online(const char *text)
{
    return (begins(text, "KEY ") || begins(text, "UNIQUE KEY ")) &&
           strstr(text, "USING HASH") == NULL && strstr(text, "((") == NULL &&
           strstr(text, "(cast(") == NULL;
}

static void drop_part(struct clauses *clauses, const struct sql_emission *emission,
                      const struct definition *part)
{
    begin_clause(clauses);
    if (is_kind(part, "check")) {
        mysql_append(&clauses->text, "DROP %s %n", emission->other ? "CONSTRAINT" : "CHECK",
                     part->name);
    } else if (is_kind(part, "period")) {
        buffer_append_string(&clauses->text, "DROP PERIOD FOR SYSTEM_TIME");
    } else if (begins(text_of(part), "PRIMARY KEY")) {
        buffer_append_string(&clauses->text, "DROP PRIMARY KEY");
    } else {
        mysql_append(&clauses->text, "DROP KEY %n", part->name);
        clauses->keys += is_built_online(text_of(part));
    }
}

static void add_part(struct clauses *clauses, const struct definition *part)
{
    const char *text = text_of(part);
    begin_clause(clauses);
    buffer_format(&clauses->text, "ADD %s", text);
    clauses->keys += is_built_online(text);
}

static bool is_key_or_check(const struct definition *part)
{
    return part->binding == DEFINITION_WITHIN && !is_kind(part, "column");
}

/* MySQL tells whether an index is used apart from what it is. */
static void alter_parts(struct clauses *clauses, const struct sql_emission *emission, bool drops)
{
    const struct definition_change *change = emission->change;
    const struct definitions *in = drops ? change->from : change->to;
    const struct definitions *other = drops ? change->to : change->from;
    uint32_t owner = sql_definition_number(in, drops ? change->before : change->after);
    uint32_t other_owner = sql_definition_number(other, drops ? change->after : change->before);
    const struct definition *part;
    uint32_t at = 0;
    while ((part = sql_definitions_of(in, owner, NULL, &at)) != NULL) {
        const struct definition *twin = partner(other, other_owner, part);
        if (!is_key_or_check(part) || (twin != NULL && definition_is_equal(part, twin))) {
            continue;
        }
        if (drops) {
            drop_part(clauses, emission, part);
        } else {
            add_part(clauses, part);
        }
    }
}

/* ---------------------------------------------------------------- options */

/* The next of "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='a b'"; "" at the end. */
static struct text next_option(const char **at)
{
    const char *begin = *at + strspn(*at, " ");
    const char *end = begin;
    if (begins(end, "DEFAULT ")) {
        end += strlen("DEFAULT ");
    } else if (begins(end, "WITH SYSTEM VERSIONING")) {
        end += strlen("WITH SYSTEM VERSIONING");
    }
    while (*end != '\0' && *end != ' ') {
        if (*end == '\'' || *end == '`') {
            char quote = *end++;
            while (*end != '\0' && (*end != quote || end[1] == quote)) {
                end += *end == quote || *end == '\\' ? 2 : 1;
            }
            end += *end != '\0';
        } else {
            end++;
        }
    }
    *at = end;
    return (struct text){begin, (size_t)(end - begin)};
}

static size_t name_length(const struct text *option)
{
    const char *equals = memchr(option->data, '=', option->length);
    return equals != NULL ? (size_t)(equals - option->data) : option->length;
}

/* The option of that name. */
static struct text find_option(const char *options, const struct text *like)
{
    struct text found;
    while ((found = next_option(&options)).length > 0) {
        if (name_length(&found) == name_length(like) &&
            memcmp(found.data, like->data, name_length(like)) == 0) {
            return found;
        }
    }
    return (struct text){0};
}

static bool is_same(const struct text *left, const struct text *right)
{
    return left->length == right->length &&
           (left->length == 0 || memcmp(left->data, right->data, left->length) == 0);
}

static void reset_option(struct clauses *clauses, const struct text *option)
{
    static const char *const quoted[] = {"COMMENT", "CONNECTION"};
    size_t length = name_length(option);
    const char *value = "DEFAULT";
    if (begins(option->data, "COLLATE") || begins(option->data, "DEFAULT")) {
        return; /* another one comes along with the character set */
    }
    if (begins(option->data, "WITH SYSTEM VERSIONING")) {
        begin_clause(clauses);
        buffer_append_string(&clauses->text, "DROP SYSTEM VERSIONING");
        return;
    }
    for (size_t i = 0; i < sizeof quoted / sizeof quoted[0]; i++) {
        value = begins(option->data, quoted[i]) ? "''" : value;
    }
    begin_clause(clauses);
    buffer_append(&clauses->text, option->data, length);
    buffer_format(&clauses->text, "=%s", value);
}

static void alter_options(struct clauses *clauses, const struct definition *before,
                          const struct definition *after)
{
    const char *old_options = definition_fact(before, "options");
    const char *new_options = definition_fact(after, "options");
    old_options = old_options != NULL ? old_options : "";
    new_options = new_options != NULL ? new_options : "";
    const char *at = new_options;
    struct text option;
    bool charset = false;
    while ((option = next_option(&at)).length > 0) {
        struct text old_option = find_option(old_options, &option);
        bool follows = charset && begins(option.data, "COLLATE");
        if (is_same(&option, &old_option) && !follows) {
            continue;
        }
        charset = begins(option.data, "DEFAULT CHARSET");
        if (follows) {
            buffer_append_byte(&clauses->text, ' ');
        } else {
            begin_clause(clauses);
        }
        if (begins(option.data, "WITH SYSTEM VERSIONING")) {
            buffer_append_string(&clauses->text, "ADD SYSTEM VERSIONING");
        } else {
            buffer_append(&clauses->text, option.data, option.length);
        }
    }
    at = old_options;
    while ((option = next_option(&at)).length > 0) {
        if (find_option(new_options, &option).length == 0) {
            reset_option(clauses, &option);
        }
    }
}

/* ---------------------------------------------------------------- all of it */

static void append_how(struct buffer *sql, const struct sql_emission *emission,
                       const struct clauses *clauses, const struct definition *table,
                       struct definition_statement *about)
{
    const char *options = definition_fact(table, "options");
    bool innodb = options != NULL && begins(options, "ENGINE=InnoDB");
    bool instant = emission->version >= (emission->other ? INSTANT_MARIADB : INSTANT_MYSQL);
    *about = (struct definition_statement){.lock = ALTER_LOCK_WRITES, .rewrites = true};
    if (!emission->change->online || !innodb) {
        return;
    }
    if (clauses->keys == clauses->count) {
        buffer_append_string(sql, ",\n    ALGORITHM=INPLACE, LOCK=NONE");
        about->lock = ALTER_LOCK_NONE;
    } else if (clauses->adds == clauses->count && instant) {
        buffer_append_string(sql, ",\n    ALGORITHM=INSTANT");
        *about = (struct definition_statement){.lock = ALTER_LOCK_NONE};
    }
}

static void repartition(struct sql_emission *emission, const struct definition *table,
                        const char *partitions)
{
    sql_emit(emission,
             mysql_sql("ALTER TABLE %n %s", table->name,
                       partitions != NULL ? partitions : "REMOVE PARTITIONING"),
             ALTER_LOCK_WRITES)
        ->rewrites = true;
}

enum status mysql_alter_table(struct sql_emission *emission, const struct definition *before,
                              const struct definition *after)
{
    struct clauses clauses = {0};
    struct definition_statement about;
    struct buffer sql = {0};
    const char *partitions = definition_fact(after, "partitions");
    bool repartitions = !sql_definition_same_fact(before, after, "partitions");
    if (repartitions && partitions == NULL) {
        repartition(emission, after, NULL);
    }
    alter_parts(&clauses, emission, true);
    alter_columns(&clauses, emission);
    alter_parts(&clauses, emission, false);
    alter_options(&clauses, before, after);
    if (clauses.count > 0) {
        mysql_append(&sql, "ALTER TABLE %n%b", after->name, &clauses.text);
        append_how(&sql, emission, &clauses, after, &about);
        struct definition_statement *statement = sql_emit(emission, &sql, about.lock);
        statement->rewrites = about.rewrites;
    }
    buffer_free(&clauses.text);
    if (repartitions && partitions != NULL) {
        repartition(emission, after, partitions);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- who is disturbed */

/* Is a column of the key, or the column, one that the reference names? */
static bool is_named_in(const struct definition *part, const char *reference)
{
    struct buffer name = {0};
    bool named = false;
    if (is_kind(part, "column")) {
        mysql_append(&name, "%n", part->name);
        named = strstr(reference, buffer_string(&name)) != NULL;
        buffer_free(&name);
        return named;
    }
    const char *at = strchr(text_of(part), '(');
    while (at != NULL && !named && (at = strchr(at, '`')) != NULL) {
        const char *end = strchr(at + 1, '`');
        if (end == NULL) {
            break;
        }
        buffer_clear(&name);
        buffer_append(&name, at, (size_t)(end + 1 - at));
        named = strstr(reference, buffer_string(&name)) != NULL;
        at = end + 1;
    }
    buffer_free(&name);
    return named;
}

/* A reference keeps its columns and the keys that it needs as they are. */
bool mysql_definition_disturbs(const struct definition_change *change,
                               const struct definition *user)
{
    if (!is_kind(user, "foreign key") || !is_kind(change->before, "table")) {
        return false;
    }
    uint32_t before = sql_definition_number(change->from, change->before);
    uint32_t after = sql_definition_number(change->to, change->after);
    const struct definition *part;
    uint32_t at = 0;
    while ((part = sql_definitions_of(change->from, before, NULL, &at)) != NULL) {
        const struct definition *twin = partner(change->to, after, part);
        if (part->binding == DEFINITION_WITHIN &&
            (twin == NULL || !definition_is_equal(part, twin)) &&
            is_named_in(part, text_of(user))) {
            return true;
        }
    }
    return false;
}
