/* The path by names as analyze's options have it. */
#include "cli/design/analyze_names.h"

#include "base/file.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4 << 20, CLUSTERS_SHOWN = 20 };

void analyze_step(const struct cli_call *call, unsigned number, const char *what)
{
    if (!cli_switch(call, CLI_QUIET)) {
        fprintf(stderr, "[%u/%d] %s\n", number, ANALYZE_STEPS, what);
    }
}

/* ---------------------------------------------------------------- options */

static const struct {
    enum cli_option_id id;
    enum names_verb verb;
} verbs[] = {{CLI_MOVE, NAMES_MOVE},
             {CLI_MERGE, NAMES_MERGE},
             {CLI_SPLIT, NAMES_SPLIT},
             {CLI_RENAME, NAMES_RENAME}};
enum { VERBS = sizeof(verbs) / sizeof(*verbs) };

static enum status read_count(struct cli_call *call, struct names_options *options,
                              struct error *error)
{
    const char *text = cli_text(call, CLI_CLUSTERS);
    int64_t count = 0;
    options->choose = text != NULL && strcmp(text, "auto") == 0;
    if (text == NULL || options->choose) {
        return STATUS_OK;
    }
    if (text_to_int64(text, strlen(text), &count) != STATUS_OK || count < 1 ||
        count > NAMES_COLUMNS_MAX) {
        return error_set(error, ERROR_BAD_VALUE, "--clusters",
                         "needs auto, or a number from 1 to %d", NAMES_COLUMNS_MAX);
    }
    options->clusters = (uint32_t)count;
    return STATUS_OK;
}

enum status analyze_names_begin(struct cli_call *call, struct analyze_names *names,
                                const char *folder, struct error *error)
{
    static const enum cli_option_id asking[] = {CLI_ALGORITHM, CLI_CLUSTERS, CLI_INTERACTIVE,
                                                CLI_VECTORS,   CLI_WEIGHTS,  CLI_MOVE,
                                                CLI_MERGE,     CLI_SPLIT,    CLI_RENAME};
    const struct cli_value *algorithm = &call->values[CLI_ALGORITHM];
    *names = (struct analyze_names){.file = file_join(call->arena, folder, "clusters.yaml")};
    for (size_t i = 0; i < sizeof(asking) / sizeof(*asking); i++) {
        names->is_asked = names->is_asked || call->values[asking[i]].is_set;
    }
    names->renews = algorithm->is_set || call->values[CLI_CLUSTERS].is_set;
    names->options.algorithm =
        algorithm->is_set ? (enum names_algorithm)algorithm->number : NAMES_KMEANS;
    return read_count(call, &names->options, error);
}

/* ---------------------------------------------------------------- clusters */

/* STATUS_END: there is no such file, or it is of another schema. */
static enum status read_clusters(struct cli_call *call, struct analyze_names *names,
                                 struct buffer *notes, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    if (names->renews) {
        return STATUS_END;
    }
    enum status status =
        file_read_all(names->file, FILE_BYTES_MAX, call->arena, &text, &length, error);
    if (status == STATUS_OK) {
        status = names_read_file(&names->names, text, length, names->file, &names->clusters, notes,
                                 error);
    }
    names->is_read = status == STATUS_OK;
    return status;
}

/* In the order given. */
static enum status adjust(struct cli_call *call, struct names_clusters *clusters,
                          struct error *error)
{
    uint32_t next[VERBS] = {0};
    for (;;) {
        size_t first = VERBS;
        int place = 0;
        for (size_t i = 0; i < VERBS; i++) {
            const struct cli_value *value = &call->values[verbs[i].id];
            if (next[i] < value->list_count &&
                (first == VERBS || value->list_places[next[i]] < place)) {
                first = i;
                place = value->list_places[next[i]];
            }
        }
        if (first == VERBS) {
            return STATUS_OK;
        }
        const char *text = call->values[verbs[first].id].list[next[first]++];
        if (names_adjust(clusters, verbs[first].verb, text, error) != STATUS_OK) {
            return error_context(error, "--%s: ", cli_option_at(verbs[first].id)->name);
        }
    }
}

/* Clusters that are not read again are kept beside. */
static enum status prepare_folder(struct cli_call *call, struct analyze_names *names,
                                  const char *folder, struct error *error)
{
    const char *old = arena_format(call->arena, "%s.old", names->file);
    if (file_make_folder(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!names->is_read && !names->is_kept && rename(names->file, old) != 0 && errno != ENOENT) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, names->file,
                               "it can't be renamed to clusters.yaml.old");
    }
    names->is_kept = true;
    return STATUS_OK;
}

static enum status find_clusters(struct cli_call *call, struct analyze_names *names,
                                 struct buffer *notes, struct error *error)
{
    enum status status = read_clusters(call, names, notes, error);
    if (status == STATUS_END) {
        status = names_group(&names->names, &names->options, &names->clusters, &names->failure);
        if (status != STATUS_OK) {
            return STATUS_END;
        }
    }
    return status;
}

static enum status change_clusters(struct cli_call *call, struct analyze_names *names,
                                   const char *folder, struct error *error)
{
    if (adjust(call, &names->clusters, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!cli_switch(call, CLI_INTERACTIVE)) {
        return STATUS_OK;
    }
    if (prepare_folder(call, names, folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return names_prompt(&names->clusters, names->file, stdin, stdout,
                        isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0, error);
}

/* Weights that were named have to be there. */
static enum status analyze_names_refuse(struct analyze_names *names, struct error *error)
{
    error_copy(error, &names->failure);
    error_clear(&names->failure);
    return STATUS_FAILED;
}

enum status analyze_names_group(struct cli_call *call, struct analyze_names *names,
                                const struct graph *graph, const char *folder, struct buffer *notes,
                                struct error *error)
{
    const char *weights = cli_text(call, CLI_WEIGHTS);
    const char *note = NULL;
    analyze_step(call, 3, "Turning names into vectors");
    if (names_read(graph, weights, call->arena, &names->names, &note, &names->failure) !=
            STATUS_OK ||
        names_plane(&names->names, &names->plane, &names->failure) != STATUS_OK) {
        analyze_step(call, 4, "Left out: there are no vectors");
        return weights != NULL ? analyze_names_refuse(names, error) : STATUS_OK;
    }
    if (note != NULL) {
        buffer_format(notes, "%s\n", note);
    }
    analyze_step(call, 4, "Clustering them");
    enum status status = find_clusters(call, names, notes, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    names->is_found = true;
    names_propose_relations(&names->names, &names->relations);
    return change_clusters(call, names, folder, error);
}

/* ---------------------------------------------------------------- files */

static enum status write_file(struct cli_call *call, const char *folder, const char *name,
                              const struct buffer *text, struct error *error)
{
    const char *path = folder != NULL ? file_join(call->arena, folder, name) : name;
    return file_write_atomic(path, text->data, text->length, NULL, error);
}

/* The picture in words: the clusters and their sizes. */
static const char *describe_picture(const struct analyze_names *names)
{
    const struct names_clusters *clusters = &names->clusters;
    struct buffer text = {0};
    buffer_format(&text, "Scatter of %u columns in %u clusters: ", names->names.count,
                  clusters->count);
    for (uint32_t i = 0; i < clusters->count && i < CLUSTERS_SHOWN; i++) {
        buffer_format(&text, "%s%s (%u)", i > 0 ? ", " : "", clusters->list[i],
                      names_cluster_size(clusters, i));
    }
    buffer_append_string(&text, clusters->count > CLUSTERS_SHOWN ? ", and more" : "");
    const char *kept = arena_copy_string(clusters->arena, buffer_string(&text));
    buffer_free(&text);
    return kept;
}

static const char *caption(struct cli_call *call, const struct analyze_names *names,
                           uint32_t unlabelled)
{
    static const char *const algorithms[] = {"k-means", "DBSCAN", "agglomerative clustering"};
    const char *maker = names->is_read ? "clusters.yaml" : algorithms[names->options.algorithm];
    const char *left =
        unlabelled == 0
            ? ""
            : arena_format(call->arena, " %u of them had no room for their names.", unlabelled);
    return arena_format(call->arena,
                        "Columns as vectors of their names, in the two directions in which these "
                        "vary most (%.1f %% of the variance); what is near has a similar name. "
                        "Colours are clusters, by %s.%s They decide no table of the design.",
                        (names->plane.ratio[0] + names->plane.ratio[1]) * 100, maker, left);
}

static enum status write_picture(struct cli_call *call, struct analyze_names *names,
                                 const char *folder, struct error *error)
{
    uint32_t unlabelled = 0;
    if (names_draw(&names->clusters, &names->plane, &names->png, &unlabelled, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    names->picture = (struct analysis_picture){.png = names->png.data,
                                               .length = names->png.length,
                                               .shows = describe_picture(names),
                                               .caption = caption(call, names, unlabelled)};
    return write_file(call, folder, "cassandra_migration_visualization.png", &names->png, error);
}

static enum status write_texts(struct cli_call *call, const struct analyze_names *names,
                               const char *folder, enum layout_naming naming, struct error *error)
{
    struct buffer text = {0};
    names_append_file(&names->clusters, &text);
    enum status status = write_file(call, NULL, names->file, &text, error);
    buffer_clear(&text);
    if (status == STATUS_OK) {
        names_append_tables(&names->clusters, &names->relations, naming, &text);
        status = write_file(call, folder, "embedding_suggested_tables.json", &text, error);
    }
    buffer_clear(&text);
    if (status == STATUS_OK && cli_text(call, CLI_VECTORS) != NULL) {
        names_append_vectors(&names->names, &text);
        status = write_file(call, NULL, cli_text(call, CLI_VECTORS), &text, error);
    }
    buffer_free(&text);
    return status;
}

enum status analyze_names_write(struct cli_call *call, struct analyze_names *names,
                                const char *folder, struct analysis_options *options,
                                struct error *error)
{
    if (!names->is_found) {
        return STATUS_OK;
    }
    if (prepare_folder(call, names, folder, error) != STATUS_OK ||
        write_picture(call, names, folder, error) != STATUS_OK ||
        write_texts(call, names, folder, options->naming, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    options->picture = &names->picture;
    options->similar = names->relations.list;
    options->similar_count = names->relations.count;
    return STATUS_OK;
}

int analyze_names_end(struct cli_call *call, struct analyze_names *names)
{
    const struct error *failure = &names->failure;
    buffer_free(&names->png);
    if (failure->code == ERROR_NONE || names->is_found) {
        return 0;
    }
    if (names->is_asked) {
        (void)cli_fail(call, failure);
        return 1;
    }
    if (!cli_switch(call, CLI_QUIET)) {
        fprintf(stderr, "no clusters of names: %s%s%s%s%s\n", failure->object,
                failure->object[0] != '\0' ? ": " : "", failure->message,
                failure->hint[0] != '\0' ? "; " : "", failure->hint);
    }
    return 0;
}
