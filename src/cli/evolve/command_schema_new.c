/* transhume schema new: two files, for the way there and the way back. */
#include "cli/evolve/command_schema.h"

#include "base/clock.h"
#include "base/file.h"
#include "evolve/evolve.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH_FIRST = 3, STAMP_DIGITS = 14 };

/* "add email" as a part of a file's name. */
static const char *name_of(const char *text, struct arena *arena)
{
    char *name = arena_copy_string(arena, text);
    for (char *at = name; *at != '\0'; at++) {
        if (strchr(" \t/\\.:", *at) != NULL || (unsigned char)*at < ' ') {
            *at = '_';
        }
    }
    return name;
}

/* As the folder counts: one more than its highest, as wide; or the time, where its versions are
 * times. */
static const char *next_version(const struct migration_set *set, struct arena *arena)
{
    const char *highest = "0";
    for (uint32_t i = 0; i < set->count; i++) {
        highest = set->items[i].version != NULL ? set->items[i].version : highest;
    }
    const char *last =
        set->change_count > 0 ? set->changes[set->change_count - 1].version : highest;
    if (strcmp(migration_version_key(last, arena), migration_version_key(highest, arena)) > 0) {
        highest = last;
    }
    size_t width = strspn(highest, "0123456789");
    if (width == STAMP_DIGITS) {
        char text[32];
        char digits[STAMP_DIGITS + 1];
        size_t count = 0;
        clock_format_utc(clock_utc_us(), text, sizeof(text));
        for (const char *at = text; *at != '\0' && *at != '.' && count < STAMP_DIGITS; at++) {
            if (*at >= '0' && *at <= '9') {
                digits[count++] = *at;
            }
        }
        digits[count] = '\0';
        return arena_copy_string(arena, digits);
    }
    uint64_t number = 0;
    for (size_t i = 0; i < width && number < UINT64_MAX / 100; i++) {
        number = number * 10 + (uint64_t)(highest[i] - '0');
    }
    return arena_format(arena, "%0*" PRIu64, (int)(strcmp(highest, "0") == 0 ? WIDTH_FIRST : width),
                        number + 1);
}

static enum status write_new(const char *path, const char *text, struct error *error)
{
    int descriptor = file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_USAGE, errno, path, "can't make the file");
    }
    enum status status = file_write_all(descriptor, text, strlen(text), path, error);
    (void)!file_close(descriptor);
    return status;
}

static enum status make_files(struct schema_call *schema, const char **paths, struct error *error)
{
    struct arena *arena = schema->call->arena;
    const char *version = next_version(&schema->set, arena);
    const char *name = name_of(schema->call->arguments[0], arena);
    static const char *const ways[] = {"up", "down"};
    for (size_t i = 0; i < 2; i++) {
        paths[i] = file_join(arena, schema->set.folder,
                             arena_format(arena, "%s_%s.%s.sql", version, name, ways[i]));
        const char *text = arena_format(arena, i == 0 ? "-- %s\n\n" : "-- takes back %s\n\n",
                                        schema->call->arguments[0]);
        if (write_new(paths[i], text, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status make_folder(const struct schema_call *schema, struct error *error)
{
    const char *folder = cli_text(schema->call, CLI_DIR);
    folder = folder != NULL ? folder : cli_option_at(CLI_DIR)->default_text;
    return file_exists(folder) ? STATUS_OK : file_make_folder(folder, error);
}

int command_schema_new(struct cli_call *call)
{
    struct schema_call schema = {.call = call};
    struct error error = {0};
    struct buffer out = {0};
    const char *paths[2];
    int exit_status;
    if (make_folder(&schema, &error) != STATUS_OK ||
        schema_read_folder(&schema, NULL, &error) != STATUS_OK ||
        make_files(&schema, paths, &error) != STATUS_OK) {
        exit_status = schema_fail(&schema, &error);
    } else if (cli_switch(call, CLI_JSON)) {
        buffer_append_string(&out, "{\"format\":1,\"files\":[");
        cli_append_json_text(&out, paths[0]);
        buffer_append_byte(&out, ',');
        cli_append_json_text(&out, paths[1]);
        buffer_append_string(&out, "]}\n");
        exit_status = cli_finish(&out, EXIT_DONE);
    } else {
        buffer_format(&out, "%s\n%s\n", paths[0], paths[1]);
        exit_status = cli_finish(&out, EXIT_DONE);
    }
    schema_close(&schema);
    return exit_status;
}
