/* Directives: comments at a text's beginning that say how it is run. */
#include "base/text.h"
#include "evolve/folder/folder.h"
#include <string.h>
#include <strings.h>

static const char mark[] = "transhume:";

/* One text and where its reader is. */
struct header {
    struct migration_reader *reader;
    struct migration_text *into;
    uint32_t line;
    uint32_t column;
};

static void fault(struct header *header, const char *hint, const char *what, const char *value)
{
    header->reader->faults->file = header->into->path;
    plan_fault_at(header->reader->faults, ERROR_MIGRATION_INVALID, header->line, header->column,
                  hint, "%s '%s'", what, value);
}

static void take_transaction(struct header *header, const char *value)
{
    if (strcasecmp(value, "none") == 0) {
        header->into->options.apart = true;
    } else if (strcasecmp(value, "auto") != 0) {
        fault(header, NULL, "transaction is auto or none, not", value);
    }
}

static void take_time(struct header *header, const char *value, int64_t *ms)
{
    uint64_t number;
    if (text_to_milliseconds(value, &number) != STATUS_OK || number > INT64_MAX) {
        fault(header, NULL, "a time such as 5s is expected, not", value);
        return;
    }
    *ms = (int64_t)number;
}

static void take_lock_timeout(struct header *header, const char *value)
{
    take_time(header, value, &header->into->options.lock_ms);
}

static void take_statement_timeout(struct header *header, const char *value)
{
    take_time(header, value, &header->into->options.statement_ms);
}

/* Versions with commas or blanks between them. */
static void take_requires(struct header *header, const char *value)
{
    static const char between[] = ", \t";
    struct column_list *list = &header->into->options.requires;
    struct arena *arena = header->reader->arena;
    for (value += strspn(value, between); *value != '\0'; value += strspn(value, between)) {
        size_t length = strcspn(value, between);
        const char **names = arena_allocate_zeroed(arena, list->count + 1, sizeof(*names));
        for (uint32_t i = 0; i < list->count; i++) {
            names[i] = list->names[i];
        }
        names[list->count] = arena_copy(arena, value, length);
        *list = (struct column_list){names, list->count + 1};
        value += length;
    }
}

static void add_check(struct header *header, const char *value, bool after)
{
    struct migration_options *options = &header->into->options;
    struct arena *arena = header->reader->arena;
    uint32_t *count = after ? &options->after_count : &options->before_count;
    const struct schema_check **list = after ? &options->after : &options->before;
    struct schema_check *checks = arena_allocate_zeroed(arena, *count + 1, sizeof(*checks));
    struct schema_check *check = &checks[*count];
    struct error error = {0};
    if (*count > 0) {
        memcpy(checks, *list, *count * sizeof(*checks));
    }
    check->file = header->into->path;
    check->line = header->line;
    if (check_parse(value, strlen(value), arena, check, &error) != STATUS_OK) {
        fault(header, NULL, error.message, value);
        return;
    }
    if (!after && check->relation == CHECK_UNCHANGED) {
        fault(header, NULL, "only a check behind the migration can say unchanged:", value);
        return;
    }
    *list = checks;
    ++*count;
}

static void take_before(struct header *header, const char *value)
{
    add_check(header, value, false);
}

static void take_after(struct header *header, const char *value)
{
    add_check(header, value, true);
}

/* TABLE [WHERE …] */
static void take_before_image(struct header *header, const char *value)
{
    struct migration_options *options = &header->into->options;
    struct arena *arena = header->reader->arena;
    size_t length = strcspn(value, " \t");
    const char *where = value + length + strspn(value + length, " \t");
    if (length == 0 || (*where != '\0' && strncasecmp(where, "WHERE ", 6) != 0)) {
        fault(header, NULL, "TABLE WHERE … is expected, not", value);
        return;
    }
    struct before_image *images =
        arena_allocate_zeroed(arena, options->image_count + 1u, sizeof(*images));
    if (options->image_count > 0) {
        memcpy(images, options->images, options->image_count * sizeof(*images));
    }
    images[options->image_count++] =
        (struct before_image){arena_copy(arena, value, length), arena_copy_string(arena, where),
                              header->into->path, header->line};
    options->images = images;
}

/* Directives of single statements, and of lint: others read them. */
static void take_nothing(struct header *header, const char *value)
{
    (void)header;
    (void)value;
}

static const struct directive {
    const char *name;
    void (*take)(struct header *header, const char *value);
} directives[] = {{"transaction", take_transaction},
                  {"lock-timeout", take_lock_timeout},
                  {"statement-timeout", take_statement_timeout},
                  {"requires", take_requires},
                  {"before", take_before},
                  {"after", take_after},
                  {"before-image", take_before_image},
                  {"done-when", take_nothing},
                  {"ignore", take_nothing},
                  {"ignore-file", take_nothing}};
enum { DIRECTIVE_COUNT = sizeof(directives) / sizeof(directives[0]) };

static void take_directive(struct header *header, const char *text, size_t length)
{
    const char *names[DIRECTIVE_COUNT];
    char *words = arena_copy(header->reader->arena, text, length);
    char *value = words + strcspn(words, " \t");
    if (*value != '\0') {
        *value++ = '\0';
        value += strspn(value, " \t");
    }
    for (size_t i = 0; i < DIRECTIVE_COUNT; i++) {
        names[i] = directives[i].name;
        if (strcmp(words, directives[i].name) == 0) {
            directives[i].take(header, value);
            return;
        }
    }
    char hint[160];
    fault(header, plan_nearest_hint(words, names, DIRECTIVE_COUNT, hint, sizeof(hint)),
          "there is no directive", words);
}

/* The length of what begins a comment of one line; 0: nothing does. */
static size_t comment_mark(enum alter_language language, const char *text, size_t length)
{
    if (length >= 2 && memcmp(text, "--", 2) == 0) {
        return 2;
    }
    if (length >= 2 && memcmp(text, "//", 2) == 0 && language != ALTER_SQL) {
        return 2;
    }
    return length >= 1 && text[0] == '#' ? 1 : 0;
}

void migration_read_header(struct migration_reader *reader, enum alter_language language,
                           const char *text, size_t length, uint32_t line,
                           struct migration_text *into)
{
    static const char bytes[] = "\xEF\xBB\xBF";
    const char *end = text + length;
    if (length >= 3 && memcmp(text, bytes, 3) == 0) {
        text += 3;
    }
    for (; text < end; line++) {
        const char *next = memchr(text, '\n', (size_t)(end - text));
        const char *stop = next == NULL ? end : next;
        const char *at = text;
        while (at < stop && strchr(" \t\r", *at) != NULL) {
            at++;
        }
        size_t begin = comment_mark(language, at, (size_t)(stop - at));
        if (begin == 0 && at < stop) {
            return;
        }
        at += begin;
        while (at < stop && (*at == ' ' || *at == '\t')) {
            at++;
        }
        while (stop > at && strchr(" \t\r", stop[-1]) != NULL) {
            stop--;
        }
        if ((size_t)(stop - at) >= sizeof(mark) - 1 && memcmp(at, mark, sizeof(mark) - 1) == 0) {
            struct header header = {reader, into, line, (uint32_t)(at - text) + 1};
            at += sizeof(mark) - 1;
            take_directive(&header, at, (size_t)(stop - at));
        }
        text = next == NULL ? end : next + 1;
    }
}
