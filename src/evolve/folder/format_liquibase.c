/*
 * Liquibase's formatted SQL:
 *
 *   --liquibase formatted sql
 *   --changeset ann:1 runInTransaction:false
 *   --comment: why
 *   --preconditions onFail:HALT
 *   --precondition-sql-check expectedResult:0 SELECT count(*) FROM users
 *   CREATE TABLE users (id int);
 *   --rollback DROP TABLE users;
 *
 * Files are taken in the order in which a changelog beside them (XML, YAML, JSON) includes them,
 * else by their paths. A version is `FILE::ID::AUTHOR`, as Liquibase knows it. What such a
 * changelog can say and is not done here (contexts, labels, dbms, changesets that are not SQL) is
 * a fault.
 *
 * The checksum of version 9: MD5("9:" MD5(SQL without blanks and line ends) ":").
 *
 * Source: liquibase/liquibase, parser/AbstractFormattedChangeLogParser.java,
 * change/AbstractSQLChange.java, changelog/ChangeSet.java.
 */
#include "base/file.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/liquibase.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- lines */

/* The text behind `-- WORD`, with blanks around the dashes; NULL: the line is none. */
static const char *behind(const struct foreign_line *line, const char *word, size_t *length)
{
    const char *at = line->text;
    const char *end = at + line->length;
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    if (end - at < 2 || memcmp(at, "--", 2) != 0) {
        return NULL;
    }
    at += 2;
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    size_t size = strlen(word);
    if ((size_t)(end - at) < size || strncasecmp(at, word, size) != 0) {
        return NULL;
    }
    *length = (size_t)(end - at) - size;
    return at + size;
}

/* Does a text begin with `--liquibase formatted sql`? */
static bool liquibase_is_head(const char *text, size_t length)
{
    struct foreign_line line = {0};
    size_t rest = 0;
    while (foreign_next_line(text, length, &line)) {
        const char *words = behind(&line, "liquibase", &rest);
        if (words != NULL) {
            return memmem(words, rest, "formatted", strlen("formatted")) != NULL;
        }
        if (line.length > 0) {
            return false;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- attributes */

/* The value of `name:VALUE` or `name:"a value"` in a line; NULL: it is not there. */
static const char *attribute(const char *words, const char *name, struct arena *arena)
{
    size_t size = strlen(name);
    for (const char *at = words; (at = strcasestr(at, name)) != NULL; at += size) {
        bool begins = at == words || strchr(" \t", at[-1]) != NULL;
        if (begins && at[size] == ':') {
            const char *value = at + size + 1;
            bool quoted = *value == '"';
            value += quoted;
            return arena_copy(arena, value, strcspn(value, quoted ? "\"" : " \t"));
        }
    }
    return NULL;
}

static bool is_said(const char *words, const char *name, const char *value, struct arena *arena)
{
    const char *found = attribute(words, name, arena);
    return found != NULL && strcasecmp(found, value) == 0;
}

/* A file on its way into items. */
struct changelog {
    struct migration_reader *reader;
    struct migration_text whole;
    char *own;        /* its text, which may be changed */
    const char *path; /* as Liquibase knows it */
};

/* Attributes of a changeset that are not followed here. */
static void refuse_attributes(struct changelog *log, const char *words, uint32_t line)
{
    static const struct {
        const char *name;
        const char *hint;
    } refused[] = {
        {"context", "leave changesets of other contexts out of the folder, and the attribute"},
        {"contextFilter",
         "leave changesets of other contexts out of the folder, and the attribute"},
        {"labels", "leave changesets of other labels out of the folder, and the attribute"},
        {"dbms", "leave changesets of other databases out of the folder, and the attribute"},
        {"runWith", NULL},
        {"endDelimiter", "statements end at ; outside strings and bodies of routines"}};
    struct arena *arena = log->reader->arena;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const char *value = attribute(words, refused[i].name, arena);
        if (value != NULL && strcmp(value, ";") != 0) {
            foreign_fault(log->reader, log->whole.path, line, refused[i].hint,
                          arena_format(arena, "%s:%s is not decided here", refused[i].name, value));
        }
    }
    if (is_said(words, "runAlways", "true", arena)) {
        foreign_fault(log->reader, log->whole.path, line, "runOnChange:true is run when it changed",
                      "runAlways: nothing is run each time");
    }
    if (is_said(words, "failOnError", "false", arena)) {
        foreign_fault(log->reader, log->whole.path, line, NULL,
                      "failOnError:false: no failure is passed over");
    }
}

/* ---------------------------------------------------------------- what a changeset holds */

/* Its lines: what they say, and which of them are SQL. */
struct changeset {
    struct migration *item;
    struct buffer sql; /* without blanks and line ends, for the checksum */
    char *back;        /* a copy of the file with nothing but the way back in it */
    bool has_back;
    bool accepts;     /* validCheckSum: it may have been another one */
    bool in_rollback; /* within a comment of several lines */
};

static void keep_sql(struct changeset *set, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL) {
            buffer_append_byte(&set->sql, text[i]);
        }
    }
}

static void take_precondition(struct changelog *log, struct changeset *set, const char *words,
                              uint32_t line)
{
    struct arena *arena = log->reader->arena;
    static const char check[] = "sql-check ";
    if (!foreign_begins(words, check)) {
        foreign_fault(log->reader, log->whole.path, line,
                      "write a check of ours: `-- transhume:before CHECK`",
                      arena_format(arena, "the precondition %.*s is not asked here",
                                   (int)strcspn(words, " "), words));
        return;
    }
    words += sizeof check - 1;
    const char *expected = attribute(words, "expectedResult", arena);
    if (expected == NULL) {
        expected = arena_copy(arena, words, strcspn(words, " "));
    }
    const char *query = words + strcspn(words, " ");
    const char *directive =
        arena_format(arena, "-- transhume:before query%s => %s", query, expected);
    migration_read_header(log->reader, ALTER_SQL, directive, strlen(directive), line,
                          &set->item->up);
}

static void take_preconditions(struct changelog *log, const char *words, uint32_t line)
{
    static const char *const names[] = {"onFail", "onError"};
    for (size_t i = 0; i < 2; i++) {
        const char *value = attribute(words, names[i], log->reader->arena);
        if (value != NULL && strcasecmp(value, "HALT") != 0) {
            foreign_fault(
                log->reader, log->whole.path, line, "only HALT is done",
                arena_format(log->reader->arena, "%s:%s is not done here", names[i], value));
        }
    }
}

/* `--rollback SQL`: its SQL stands in `back` where it stands in the file. */
static void keep_back(struct changelog *log, struct changeset *set, const char *words,
                      size_t length)
{
    while (length > 0 && strchr(" \t", *words) != NULL) {
        words++;
        length--;
    }
    bool nothing = (length == 5 && strncasecmp(words, "empty", 5) == 0) ||
                   (length >= 12 && strncasecmp(words, "not required", 12) == 0);
    if (nothing || length == 0) {
        return;
    }
    if (strncasecmp(words, "changesetId:", length < 12 ? length : 12) == 0 && length >= 12) {
        foreign_fault(log->reader, log->whole.path, log->whole.line, NULL,
                      "a way back that is another changeset is not run here");
        return;
    }
    memcpy(set->back + (words - log->whole.text), words, length);
    set->has_back = true;
}

/* True: the line is one of Liquibase's own. */
static bool take_word(struct changelog *log, struct changeset *set, const struct foreign_line *line)
{
    size_t length = 0;
    const char *words;
    struct arena *arena = log->reader->arena;
    if ((words = behind(line, "rollback ", &length)) != NULL) {
        keep_back(log, set, words, length);
        return true;
    }
    if ((words = behind(line, "preconditions", &length)) != NULL) {
        take_preconditions(log, arena_copy(arena, words, length), line->number);
        return true;
    }
    if ((words = behind(line, "precondition-", &length)) != NULL) {
        take_precondition(log, set, arena_copy(arena, words, length), line->number);
        return true;
    }
    if (behind(line, "validCheckSum", &length) != NULL) {
        set->accepts = true;
        return true;
    }
    if (behind(line, "property ", &length) != NULL) {
        foreign_fault(log->reader, log->whole.path, line->number,
                      "write what they stand for into the file", "properties are not replaced");
        return true;
    }
    return behind(line, "comment ", &length) != NULL || behind(line, "comment:", &length) != NULL;
}

/* A comment of several lines with the way back in it. */
static bool is_rollback_block(const struct foreign_line *line)
{
    const char *text = line->text;
    size_t length = line->length;
    while (length > 0 && strchr(" \t", *text) != NULL) {
        text++;
        length--;
    }
    return length > 2 && memcmp(text, "/*", 2) == 0 &&
           memmem(text, length, "liquibase rollback", strlen("liquibase rollback")) != NULL;
}

static void take_line(struct changelog *log, struct changeset *set, const struct foreign_line *line)
{
    if (set->in_rollback) {
        const char *end = memmem(line->text, line->length, "*/", 2);
        keep_back(log, set, line->text, end != NULL ? (size_t)(end - line->text) : line->length);
        set->in_rollback = end == NULL;
    } else if (is_rollback_block(line)) {
        set->in_rollback = memmem(line->text, line->length, "*/", 2) == NULL;
    } else if (take_word(log, set, line)) {
        /* MySQL takes `--word` for no comment. */
        foreign_blank(log->own, line->begin, line->end);
    } else {
        keep_sql(set, line->text, line->length);
        if (memmem(line->text, line->length, "${", 2) != NULL) {
            foreign_fault(log->reader, log->whole.path, line->number,
                          "write what they stand for into the file",
                          "it has parameters (${…}), which are not replaced");
        }
    }
}

/* ---------------------------------------------------------------- changesets */

/* A name in quotes, or up to one of `ends`. */
static const char *take_name(const char **words, const char *ends, struct arena *arena)
{
    bool quoted = **words == '"';
    const char *begin = *words + quoted;
    size_t length = strcspn(begin, quoted ? "\"" : ends);
    *words = begin + length + (quoted && begin[length] == '"');
    return arena_copy(arena, begin, length);
}

static void name_item(struct changelog *log, struct changeset *set, const char *words,
                      uint32_t line)
{
    struct arena *arena = log->reader->arena;
    words += strspn(words, " \t");
    const char *author = take_name(&words, ":", arena);
    words += *words == ':';
    words += strspn(words, " \t");
    const char *id = take_name(&words, " \t", arena);
    const char *path = attribute(words, "logicalFilePath", arena);
    struct migration *item = set->item;
    item->origin_id =
        arena_format(arena, "%s::%s::%s", path != NULL ? path : log->path, id, author);
    item->version = item->origin_id;
    item->name = id;
    item->up.path = log->whole.path;
    if (is_said(words, "runOnChange", "true", arena)) {
        item->kind = MIGRATION_REPEATABLE;
        item->name = item->version;
        item->version = NULL;
    }
    refuse_attributes(log, words, line);
    item->up.options.apart = is_said(words, "runInTransaction", "false", arena);
    item->down.options.apart = item->up.options.apart;
}

/* One changeset, from behind its line to the next one. */
static void take_changeset(struct changelog *log, const char *words, uint32_t number, size_t begin,
                           size_t end)
{
    struct arena *arena = log->reader->arena;
    struct changeset set = {0};
    if (is_said(words, "ignore", "true", arena)) {
        return;
    }
    set.item = migration_add(log->reader);
    set.back = arena_copy(arena, log->whole.text, log->whole.length);
    foreign_blank(set.back, 0, log->whole.length);
    name_item(log, &set, words, number);
    struct foreign_line line = {.end = begin, .number = number};
    while (foreign_next_line(log->whole.text, end, &line)) {
        take_line(log, &set, &line);
    }
    migration_cut(&log->whole, begin, end - begin, &set.item->up);
    migration_read_header(log->reader, ALTER_SQL, set.item->up.text, end - begin, number + 1,
                          &set.item->up);
    if (set.has_back) {
        /* The text of a way back: a part of a copy of the file that has nothing else in it. */
        struct migration_text whole = log->whole;
        whole.whole = set.back;
        whole.text = set.back;
        migration_cut(&whole, begin, end - begin, &set.item->down);
    }
    if (!set.accepts) {
        /* As it is kept in DATABASECHANGELOG.MD5SUM. */
        const char *text = arena_format(
            arena, "9:%s:", foreign_digest("MD5", buffer_string(&set.sql), set.sql.length, arena));
        set.item->origin_checksum =
            arena_format(arena, "9:%s", foreign_digest("MD5", text, strlen(text), arena));
    }
    buffer_free(&set.sql);
}

static void cut_changesets(struct changelog *log)
{
    struct foreign_line line = {0};
    const char *open = NULL;
    size_t begin = 0;
    uint32_t number = 0;
    size_t length = 0;
    while (foreign_next_line(log->whole.text, log->whole.length, &line)) {
        const char *words = behind(&line, "changeset ", &length);
        if (words == NULL) {
            continue;
        }
        if (open != NULL) {
            take_changeset(log, open, number, begin, line.begin);
        }
        open = arena_copy(log->reader->arena, words, length);
        begin = line.end;
        number = line.number;
    }
    if (open != NULL) {
        take_changeset(log, open, number, begin, log->whole.length);
    }
}

static const char *logical_path(const struct migration_text *whole, struct arena *arena)
{
    struct foreign_line line = {0};
    size_t length = 0;
    while (foreign_next_line(whole->text, whole->length, &line)) {
        const char *words = behind(&line, "liquibase", &length);
        if (words != NULL) {
            return attribute(arena_copy(arena, words, length), "logicalFilePath", arena);
        }
    }
    return NULL;
}

static enum status take_file(struct migration_reader *reader, const char *name, struct error *error)
{
    struct changelog log = {.reader = reader, .path = name};
    if (migration_load(reader, name, &log.whole, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (log.whole.text == NULL) {
        return STATUS_OK;
    }
    if (!liquibase_is_head(log.whole.text, log.whole.length)) {
        foreign_fault(reader, log.whole.path, 1, NULL,
                      "it does not begin with `--liquibase formatted sql`");
        return STATUS_OK;
    }
    const char *logical = logical_path(&log.whole, reader->arena);
    log.own = foreign_own(&log.whole, reader->arena);
    log.path = logical != NULL ? logical : name;
    cut_changesets(&log);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the folder */

static bool recognise_liquibase(const struct migration_reader *reader)
{
    struct foreign_files files;
    struct error ignored;
    struct migration_reader looking = *reader;
    if (liquibase_list(&looking, &files, &ignored) != STATUS_OK) {
        return false;
    }
    for (uint32_t i = 0; i < files.count; i++) {
        char *text = NULL;
        size_t length = 0;
        if (foreign_read(&looking, files.names[i], &text, &length, &ignored) == STATUS_OK &&
            text != NULL && liquibase_is_head(text, length)) {
            return true;
        }
    }
    return false;
}

static enum status read_liquibase(struct migration_reader *reader, struct error *error)
{
    struct foreign_files files;
    if (liquibase_list(reader, &files, error) != STATUS_OK ||
        liquibase_order(reader, &files, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < files.count; i++) {
        if (take_file(reader, files.names[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

const struct migration_format migration_format_liquibase = {.name = "liquibase",
                                                            .title = "Liquibase",
                                                            .orders = true,
                                                            .is_graph = true,
                                                            .recognises = recognise_liquibase,
                                                            .read = read_liquibase};
