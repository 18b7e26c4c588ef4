/* The work that is left about rights, in the order in which the statements are to be run: roles,
 * what everybody may in the target alone, owners, grants, policies, defaults; and what somebody may
 * in the target that he may not in the source. */
#include "connectors/postgres/rights.h"
#include "connectors/postgres/statement.h"
#include "connectors/sql/check.h"
#include <string.h>

struct listing {
    struct postgres_carried *carried;
    const struct schema *objects; /* the source's */
    struct schema there;          /* the target's rights, as it stands */
    struct rights_left *left;
    const char **lacked; /* roles that the target has not and that were told */
    uint32_t lacked_count;
    uint32_t lacked_capacity;
};

static void item_add(struct listing *listing, bool opens, const char *kind, const char *object,
                     const char *text, struct buffer *statement)
{
    char shown[SQL_SHOWN_BYTES];
    const struct right_left item = {.opens = opens,
                                    .kind = kind,
                                    .object = sql_show_name(object, shown),
                                    .text = text,
                                    .statement =
                                        statement != NULL ? buffer_string(statement) : NULL};
    rights_left_add(listing->left, &item);
    if (statement != NULL) {
        buffer_free(statement);
    }
}

/* ---------------------------------------------------------------- roles */

static void need_role(struct listing *listing, const char *role)
{
    struct arena *arena = listing->carried->arena;
    if (role == NULL || postgres_has_role(&listing->carried->making.roles, role)) {
        return;
    }
    for (uint32_t i = 0; i < listing->lacked_count; i++) {
        if (strcmp(listing->lacked[i], role) == 0) {
            return;
        }
    }
    listing->lacked = arena_make_room(arena, listing->lacked, listing->lacked_count,
                                      &listing->lacked_capacity, sizeof *listing->lacked);
    listing->lacked[listing->lacked_count++] = role;
    item_add(listing, false, "role", role, "the target has no role of this name",
             postgres_sql("CREATE ROLE %n", role));
}

static bool is_own_schema(const struct schema_right *right)
{
    return strcmp(right->what, "schema") == 0 && right->name[0] == '\0';
}

/* The policies' roles are in their statements. */
static void need_roles_of_policy(struct listing *listing, const struct schema_object *object)
{
    struct arena *arena = listing->carried->arena;
    struct text roles = postgres_policy_roles(&listing->carried->making.self->sql.base.scope,
                                              object->native_sql, false);
    bool everybody = false;
    for (const char *role; (role = postgres_next_role(&roles, arena, &everybody)) != NULL;) {
        if (!everybody) {
            need_role(listing, role);
        }
    }
}

static bool is_policy(const struct listing *listing, const struct schema_object *object)
{
    const struct schema_right of = {.what = "policy", .name = object->name, .table = object->table};
    return object->native_sql != NULL && object->table != NULL &&
           strcmp(schema_object_word(object), "policy") == 0 &&
           postgres_is_made(listing->carried, &of);
}

static void list_roles(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->objects->right_count; i++) {
        const struct schema_right *right = &listing->objects->rights[i];
        bool about = strcmp(right->kind, "owner") == 0 || strcmp(right->kind, "grant") == 0;
        if ((about && (is_own_schema(right) || postgres_is_made(listing->carried, right))) ||
            strcmp(right->kind, "default") == 0) {
            need_role(listing, right->role);
        }
    }
    for (uint32_t i = 0; i < listing->objects->object_count; i++) {
        if (is_policy(listing, &listing->objects->objects[i])) {
            need_roles_of_policy(listing, &listing->objects->objects[i]);
        }
    }
}

/* ---------------------------------------------------------------- everybody */

/* Everybody's rights in the target: the kind of thing, its name, the privilege, and what a
 * statement names. */
static enum status read_open(struct listing *listing, PGresult **open)
{
    struct postgres_carried *carried = listing->carried;
    struct postgres_database *self = carried->making.self;
    const struct postgres_parameter spaces = {.text = self->spaces};
    return postgres_catalog_query(
        self, carried->connection,
        POSTGRES_WITH_SPACE
        "SELECT 'schema' AS what, CASE WHEN n.lead = '' THEN '' ELSE n.nspname::text END AS name, "
        "g.privilege_type, 'SCHEMA ' || pg_catalog.quote_ident(n.nspname) AS called FROM space n "
        "JOIN pg_catalog.pg_namespace s ON s.oid = n.oid CROSS JOIN LATERAL "
        "pg_catalog.aclexplode(s.nspacl) g WHERE g.grantee = 0::pg_catalog.oid UNION ALL SELECT "
        "'language', l.lanname::text, g.privilege_type, 'LANGUAGE ' || "
        "pg_catalog.quote_ident(l.lanname) FROM pg_catalog.pg_language l CROSS JOIN LATERAL "
        "pg_catalog.aclexplode(coalesce(l.lanacl, pg_catalog.acldefault('l', l.lanowner))) g WHERE "
        "l.lanpltrusted AND g.grantee = 0::pg_catalog.oid UNION ALL SELECT 'database', '', "
        "g.privilege_type, 'DATABASE ' || pg_catalog.quote_ident(d.datname) FROM "
        "pg_catalog.pg_database d CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, "
        "pg_catalog.acldefault('d', d.datdba))) g WHERE d.datname = "
        "pg_catalog.current_database() AND g.grantee = 0::pg_catalog.oid",
        &spaces, 1, SQL_SHORT, ERROR_TARGET_INVALID, open, carried->error);
}

static const struct schema_right *right_find(const struct listing *listing, const char *kind,
                                             const struct schema_right *of)
{
    return postgres_find_right(listing->objects, kind, of->what, of->name);
}

/* A schema may keep something from those who may use what is in it: is anything granted, by what is
 * carried (`now`) or will be by hand, or anything there that everybody may use by default? */
static bool is_anything_usable(const struct listing *listing, bool now)
{
    const struct postgres_carried *carried = listing->carried;
    for (uint32_t i = 0; i < listing->objects->right_count; i++) {
        const struct schema_right *right = &listing->objects->rights[i];
        bool grant = strcmp(right->kind, "grant") == 0 && (!now || carried->done[i]);
        bool usual = strcmp(right->kind, "owner") == 0 &&
                     (strncmp(right->called, "FUNCTION ", 9) == 0 ||
                      strncmp(right->called, "PROCEDURE ", 10) == 0) &&
                     right_find(listing, "closed", right) == NULL;
        if ((grant || usual) && postgres_is_made(carried, right)) {
            return true;
        }
    }
    return false;
}

static void list_shut(struct listing *listing, const struct schema_right *right,
                      const PGresult *open)
{
    bool database = strcmp(right->what, "database") == 0;
    bool uses = strcmp(right->what, "schema") == 0 && strcmp(right->words, "USAGE") == 0;
    if (uses && !is_anything_usable(listing, false)) {
        return;
    }
    for (int row = 0; row < PQntuples(open); row++) {
        if (strcmp(PQgetvalue(open, row, 0), right->what) != 0 ||
            (!database && strcmp(PQgetvalue(open, row, 1), right->name) != 0) ||
            strcmp(PQgetvalue(open, row, 2), right->words) != 0) {
            continue;
        }
        const char *called = PQgetvalue(open, row, 3);
        const char *name = strchr(called, ' ') + 1;
        char *text = arena_format(listing->carried->arena,
                                  "everybody has %s of the %s, which the source denies",
                                  right->words, right->what);
        item_add(listing, !uses || is_anything_usable(listing, true), right->what, name, text,
                 postgres_sql("REVOKE %s ON %s FROM PUBLIC", right->words, called));
    }
}

static enum status list_everybody(struct listing *listing)
{
    PGresult *open = NULL;
    enum status status = read_open(listing, &open);
    for (uint32_t i = 0; status == STATUS_OK && i < listing->objects->right_count; i++) {
        const struct schema_right *right = &listing->objects->rights[i];
        if (strcmp(right->kind, "shut") == 0) {
            list_shut(listing, right, open);
        }
    }
    PQclear(open);
    return status;
}

/* ---------------------------------------------------------------- owners */

/* The words on what is open as long as the object belongs to the account; NULL: nothing is. */
static const char *opened_by(const struct listing *listing, const struct schema_right *owner)
{
    const struct postgres_carried *carried = listing->carried;
    const struct schema_right *runs = right_find(listing, "runs", owner);
    const struct schema_right *reads = right_find(listing, "reads", owner);
    const struct schema_right *rewrites = right_find(listing, "rewrites", owner);
    if (runs != NULL && runs->words != NULL && postgres_does_more(&carried->making.roles, runs)) {
        return "; a trigger calls it, and it then runs as that account";
    }
    if (reads != NULL && strcmp(reads->what, "view") == 0 &&
        carried->making.self->server_version < POSTGRES_INVOKER_VERSION &&
        postgres_does_more(&carried->making.roles, reads)) {
        return arena_format(carried->arena,
                            "; it reads as that account, past what holds its owner back (%s)",
                            reads->words);
    }
    if (rewrites != NULL && !postgres_owner_is_right(carried, rewrites)) {
        return arena_format(carried->arena,
                            "; its rules act as that account, past what holds its owner back (%s)",
                            rewrites->words);
    }
    return NULL;
}

/* Where the owner is the right one, and not that of what the view reads through. */
static void list_reader(struct listing *listing, const struct schema_right *owner, bool given,
                        bool opened)
{
    const struct postgres_carried *carried = listing->carried;
    const struct schema_right *reads = right_find(listing, "reads", owner);
    if (!given || opened || reads == NULL || strcmp(reads->what, "view") != 0 ||
        carried->making.self->server_version < POSTGRES_INVOKER_VERSION ||
        strcmp(reads->role, carried->making.roles.account) == 0 ||
        !postgres_does_more(&carried->making.roles, reads) ||
        carried->done[reads - listing->objects->rights]) {
        return;
    }
    item_add(listing, false, "owner", owner->name,
             arena_format(carried->arena,
                          "the view reads with the rights of who asks, until what it reads through "
                          "belongs to %s (%s)",
                          reads->role, reads->words),
             postgres_sql("ALTER %s RESET (security_invoker)", reads->called));
}

static void list_owner(struct listing *listing, uint32_t number)
{
    const struct postgres_carried *carried = listing->carried;
    const struct schema_right *right = &listing->objects->rights[number];
    const struct schema_right *reads = right_find(listing, "reads", right);
    const char *opened = opened_by(listing, right);
    const char *text = NULL;
    struct buffer sql = {0};
    bool same = strcmp(right->role, carried->making.roles.account) == 0;
    list_reader(listing, right, carried->done[number] || (same && opened == NULL), opened != NULL);
    if (carried->done[number] || (same && opened == NULL)) {
        return;
    }
    if (same) { /* it may more here than there */
        text =
            arena_format(carried->arena, "the %s belongs to %s, who may more than in the source%s",
                         right->what, right->role, opened);
        item_add(listing, true, "owner", right->name, text, NULL);
        return;
    }
    text = arena_format(
        carried->arena, "the %s belongs to %s, in the source to %s%s%s%s", right->what,
        carried->making.roles.account, right->role, carried->why[number] != NULL ? ": " : "",
        carried->why[number] != NULL ? carried->why[number] : "", opened != NULL ? opened : "");
    postgres_append_owner_change(&sql, right);
    if (reads != NULL && strcmp(right->what, "view") == 0 && opened == NULL &&
        postgres_does_more(&carried->making.roles, reads)) {
        text =
            arena_format(carried->arena, "%s; until then it reads with the rights of who asks (%s)",
                         text, reads->words);
        buffer_format(&sql, "; ALTER %s RESET (security_invoker)", reads->called);
    }
    item_add(listing, opened != NULL, "owner", right->name, text, &sql);
}

/* ---------------------------------------------------------------- grants */

/* Is the line one of the words, perhaps with the right to grant it on? */
static bool has_word(const char *words, const char *word, size_t length)
{
    while (*words != '\0') {
        size_t end = strcspn(words, "\n");
        if (strncmp(words, word, length) == 0 &&
            (end == length || (end == length + 1 && words[length] == '*'))) {
            return true;
        }
        words += end + (words[end] == '\n');
    }
    return false;
}

static bool is_same_role(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

/* Has the role of the right that word, by one of these rights, or everybody? */
static bool is_granted(const struct schema *rights, const struct schema_right *right,
                       const char *word, size_t length)
{
    const struct schema_right *at = postgres_find_right(rights, "grant", right->what, right->name);
    const struct schema_right *end = rights->rights + rights->right_count;
    for (; at != NULL && at < end && strcmp(at->kind, "grant") == 0 &&
           strcmp(at->what, right->what) == 0 && strcmp(at->name, right->name) == 0;
         at++) {
        if ((is_same_role(at->role, right->role) || at->role == NULL) &&
            has_word(at->words, word, length)) {
            return true;
        }
    }
    return false;
}

/* The words of the right that these rights do not hold; NULL: they hold all. */
static const char *words_missing(const struct listing *listing, const struct schema *rights,
                                 const struct schema_right *right)
{
    struct buffer missing = {0};
    for (const char *at = right->words; *at != '\0';) {
        size_t end = strcspn(at, "\n");
        /* whoever may do it, and grant it on, is asked for as both */
        if (!is_granted(rights, right, at, end)) {
            buffer_append_string(&missing, missing.length > 0 ? "\n" : "");
            buffer_append(&missing, at, end);
        }
        at += end + (at[end] == '\n');
    }
    const char *words = missing.length > 0 ? sql_text(listing->carried->arena, &missing) : NULL;
    return words;
}

static bool is_owner(const struct schema *rights, const struct schema_right *right)
{
    const struct schema_right *owner =
        postgres_find_right(rights, "owner", right->what, right->name);
    return owner != NULL && right->role != NULL && strcmp(owner->role, right->role) == 0;
}

static void list_grant(struct listing *listing, uint32_t number)
{
    struct postgres_carried *carried = listing->carried;
    struct schema_right right = listing->objects->rights[number];
    struct buffer sql = {0};
    const char *missing = right.words;
    if (!carried->ahead || is_own_schema(&right)) {
        missing = words_missing(listing, &listing->there, &right);
    }
    if (missing == NULL || carried->done[number] || is_owner(&listing->there, &right)) {
        return;
    }
    if (is_own_schema(&right)) {
        right.called = right.name =
            sql_text(carried->arena, postgres_sql("SCHEMA %n", carried->making.self->sql.schema));
    }
    postgres_append_grant(&sql, &right, missing);
    const char *why = carried->why[number];
    const char *text =
        why != NULL ? why
        : postgres_is_withheld(carried, &right)
            ? "who may do what is not carried, since it would do more than in the source as long "
              "as it has another owner"
            : "who may do what is not carried";
    item_add(listing, false, "grant", right.name, text, &sql);
}

/* Was the function taken from everybody, who may call it in the source? */
static bool is_taken(const struct listing *listing, const struct schema_right *right)
{
    const struct schema_right *runs = right_find(listing, "runs", right);
    return runs != NULL && postgres_does_more(&listing->carried->making.roles, runs);
}

static void list_grants(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->objects->right_count; i++) {
        const struct schema_right *right = &listing->objects->rights[i];
        if (strcmp(right->kind, "grant") == 0 &&
            (is_own_schema(right) || postgres_is_made(listing->carried, right)) &&
            (right->role != NULL || strcmp(right->words, "EXECUTE") != 0 ||
             is_taken(listing, right))) {
            list_grant(listing, i);
        }
    }
}

/* Rights that an owner has of its own by default, and the source's has not any more. */
static void list_lacks(struct listing *listing)
{
    const struct postgres_carried *carried = listing->carried;
    for (uint32_t i = 0; i < listing->objects->right_count; i++) {
        const struct schema_right *right = &listing->objects->rights[i];
        struct buffer sql = {0};
        if (strcmp(right->kind, "lacks") != 0 || carried->done[i] ||
            !postgres_is_made(carried, right)) {
            continue;
        }
        const struct schema_right *owner = right_find(listing, "owner", right);
        const struct schema_right *there =
            postgres_find_right(&listing->there, "lacks", right->what, right->name);
        if (there != NULL && strcmp(there->role, right->role) == 0 &&
            strcmp(there->words, right->words) == 0) {
            continue;
        }
        bool given = owner != NULL && (carried->done[owner - listing->objects->rights] ||
                                       strcmp(right->role, carried->making.roles.account) == 0);
        postgres_append_revoke(&sql, right, right->words);
        item_add(listing, given && !carried->making.roles.is_superuser, "grant", right->name,
                 given
                     ? "its owner may do what the source denies it, and whoever is to count and to "
                       "follow as its owner has yet to"
                     : "the source denies its owner what an owner may by default",
                 &sql);
    }
}

static void list_records(struct listing *listing)
{
    const struct postgres_carried *carried = listing->carried;
    for (uint32_t i = 0; i < listing->objects->right_count; i++) {
        const struct schema_right *right = &listing->objects->rights[i];
        if (strcmp(right->kind, "reads") != 0 || strcmp(right->what, "view") == 0 ||
            carried->done[i] || !postgres_is_made(carried, right) ||
            !postgres_does_more(&carried->making.roles, right)) {
            continue;
        }
        item_add(listing, false, "materialized view", right->name,
                 arena_format(carried->arena,
                              "it is made without records, since %s would read past what holds its "
                              "owner back (%s)%s%s",
                              carried->making.roles.account, right->words,
                              carried->why[i] != NULL ? ": " : "",
                              carried->why[i] != NULL ? carried->why[i] : ""),
                 postgres_sql("REFRESH %s", right->called));
    }
}

/* ---------------------------------------------------------------- policies, defaults */

/* The statement is the source's, for the hands of somebody who may everything: none, if it does
 * anything besides. */
static void add_told(struct listing *listing, const struct schema_object *object, bool opens,
                     const char *kind, const char *text, struct buffer *statement)
{
    const struct schema_scope *scope = &listing->carried->making.self->sql.base.scope;
    bool told = postgres_makes(scope, object) && postgres_is_one(buffer_string(statement));
    item_add(listing, opens, kind, strcmp(kind, "policy") == 0 ? object->name : object->table, text,
             told ? statement : NULL);
    buffer_free(statement);
}

static void list_policy(struct listing *listing, const struct schema_object *object)
{
    struct arena *arena = listing->carried->arena;
    const struct schema_scope *scope = &listing->carried->making.self->sql.base.scope;
    struct text all = postgres_policy_roles(scope, object->native_sql, false);
    struct text roles = all;
    const char *lacked = NULL;
    bool everybody = false;
    for (const char *role; (role = postgres_next_role(&roles, arena, &everybody)) != NULL;) {
        bool found = everybody || postgres_has_role(&listing->carried->making.roles, role);
        lacked = lacked == NULL && !found ? role : lacked;
    }
    if (lacked == NULL) {
        return;
    }
    struct buffer sql = {0};
    /* also for members of a role that is not there */
    bool any = postgres_object_words(&listing->carried->making, object, &sql) == STATUS_OK;
    buffer_clear(&sql);
    bool restrictive = postgres_policy_roles(scope, object->native_sql, true).length > 0;
    if (restrictive && any) {
        postgres_append(&sql, "ALTER POLICY %n ON %t TO %S", object->name,
                        &listing->carried->making.self->sql, object->table, all.data, all.length);
    } else {
        buffer_append_string(&sql, object->native_sql);
    }
    add_told(listing, object, restrictive, "policy",
             arena_format(arena, "the target has not the role %s: the %s policy of %s %s", lacked,
                          restrictive ? "RESTRICTIVE" : "permissive", object->table,
                          restrictive && any ? "holds back those that are there"
                          : restrictive      ? "is not made, and will not hold that role back"
                                             : "is not made"),
             &sql);
}

static void list_forced(struct listing *listing, const struct schema_object *object)
{
    const struct schema_right of = {.what = "table", .name = object->table};
    struct buffer sql = {0};
    if (postgres_is_made(listing->carried, &of)) {
        buffer_append_string(&sql, object->native_sql);
        add_told(
            listing, object, true, "row security",
            "it would hold back the account, which has yet to count and to follow; so far it does "
            "not hold back the table's owner",
            &sql);
    }
}

static void list_policies(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->objects->object_count; i++) {
        const struct schema_object *object = &listing->objects->objects[i];
        if (is_policy(listing, object)) {
            list_policy(listing, object);
        } else if (postgres_is_held_back(&listing->carried->making.roles, object)) {
            list_forced(listing, object);
        }
    }
}

static bool is_default_there(const struct listing *listing, const struct schema_right *right)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < listing->there.right_count; i++) {
        const struct schema_right *other = &listing->there.rights[i];
        found = strcmp(other->kind, "default") == 0 && other->native_sql != NULL &&
                strcmp(other->native_sql, right->native_sql) == 0;
    }
    return found;
}

static void list_defaults(struct listing *listing)
{
    const struct postgres_roles *roles = &listing->carried->making.roles;
    for (uint32_t i = 0; i < listing->objects->right_count; i++) {
        const struct schema_right *right = &listing->objects->rights[i];
        if (strcmp(right->kind, "default") != 0 || is_default_there(listing, right)) {
            continue;
        }
        bool closed = right->words != NULL;
        item_add(
            listing, closed && postgres_has_role(roles, right->role), "default grant", right->role,
            closed ? "everybody may use what the role makes from now on, which the source denies"
                   : "who may do what with new objects is not carried",
            postgres_sql("%s", right->native_sql));
    }
}

/* ---------------------------------------------------------------- more than in the source */

/* May everybody use it by default, in the source too? */
static bool is_usual(const struct listing *listing, const struct schema_right *right)
{
    bool usable = strncmp(right->called, "TABLE ", 6) != 0 &&
                  strncmp(right->called, "SEQUENCE ", 9) != 0 &&
                  strncmp(right->called, "SCHEMA ", 7) != 0;
    return usable && right_find(listing, "closed", right) == NULL &&
           right_find(listing, "runs", right) == NULL;
}

/* A privilege that is taken of a table is taken of its columns, too: gives back those that are the
 * source's. */
static void append_columns_of(const struct listing *listing, const struct schema_right *right,
                              const char *taken, struct buffer *sql)
{
    struct buffer words = {0};
    for (const char *at = right->words; *at != '\0';) {
        size_t end = strcspn(at, "\n");
        size_t privilege = strcspn(at, "(\n*");
        bool of_column = privilege < end && at[privilege] == '(';
        if (of_column && has_word(taken, at, privilege - 1) &&
            is_granted(listing->objects, right, at, end)) {
            buffer_append_string(&words, words.length > 0 ? "\n" : "");
            buffer_append(&words, at, end);
        }
        at += end + (at[end] == '\n');
    }
    if (words.length > 0) {
        postgres_append_grant(sql, right, buffer_string(&words)); /* with a semicolon before it */
    }
    buffer_free(&words);
}

/* A privilege that may be granted on is in another row than one that may not. */
static void append_columns(const struct listing *listing, const struct schema_right *right,
                           const char *taken, struct buffer *sql)
{
    for (uint32_t i = 0; i < listing->there.right_count; i++) {
        const struct schema_right *other = &listing->there.rights[i];
        if (strcmp(other->kind, right->kind) == 0 && strcmp(other->what, right->what) == 0 &&
            strcmp(other->name, right->name) == 0 && is_same_role(other->role, right->role)) {
            append_columns_of(listing, other, taken, sql);
        }
    }
}

/* Picks words that the source has not: those that it has but does not let grant on (`plain`), or
 * the others. */
static void pick_words(const struct listing *listing, const struct schema_right *right,
                       const char *words, bool plain, struct buffer *picked)
{
    for (const char *at = words; *at != '\0';) {
        size_t end = strcspn(at, "\n");
        bool star = end > 0 && at[end - 1] == '*';
        if ((star && is_granted(listing->objects, right, at, end - 1)) == plain) {
            buffer_append_string(picked, picked->length > 0 ? "\n" : "");
            buffer_append(picked, at, end);
        }
        at += end + (at[end] == '\n');
    }
}

static void append_gained(const struct listing *listing, const struct schema_right *right,
                          const char *words, struct buffer *sql)
{
    struct buffer whole = {0};
    struct buffer options = {0};
    pick_words(listing, right, words, false, &whole);
    pick_words(listing, right, words, true, &options);
    if (options.length > 0) {
        postgres_append_option_revoke(sql, right, buffer_string(&options));
    }
    if (whole.length > 0) {
        postgres_append_revoke(sql, right, buffer_string(&whole));
    }
    append_columns(listing, right, words, sql);
    buffer_free(&whole);
    buffer_free(&options);
}

/* Rights that the target's own default privileges give. */
static void list_gained(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->there.right_count; i++) {
        const struct schema_right *right = &listing->there.rights[i];
        struct buffer sql = {0};
        if (strcmp(right->kind, "grant") != 0 || !postgres_is_made(listing->carried, right) ||
            is_owner(listing->objects, right) || is_usual(listing, right)) {
            continue;
        }
        const char *words = words_missing(listing, listing->objects, right);
        if (words != NULL) {
            append_gained(listing, right, words, &sql);
            item_add(listing, true, "grant", right->name,
                     "the target's default privileges give what the source does not", &sql);
        }
    }
}

enum status postgres_rights_list(struct postgres_carried *carried, struct rights_left *left)
{
    struct listing listing = {.carried = carried,
                              .objects = carried->making.objects,
                              .there = {.arena = carried->arena},
                              .left = left};
    enum status status = postgres_rights_read(carried->making.self, carried->connection,
                                              &listing.there, carried->error);
    if (status != STATUS_OK) {
        return status;
    }
    list_roles(&listing);
    status = list_everybody(&listing);
    if (status == STATUS_OK && !carried->ahead) {
        list_gained(&listing); /* before what is granted by hand, of which it may take something */
    }
    for (uint32_t i = 0; status == STATUS_OK && i < listing.objects->right_count; i++) {
        const struct schema_right *right = &listing.objects->rights[i];
        if (strcmp(right->kind, "owner") == 0 && postgres_is_made(carried, right)) {
            list_owner(&listing, i);
        }
    }
    if (status == STATUS_OK) {
        list_grants(&listing);
        list_lacks(&listing);
        list_policies(&listing);
        list_records(&listing); /* as its owner may see them by then */
        list_defaults(&listing);
    }
    return status;
}
