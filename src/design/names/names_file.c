/*
 * clusters.yaml:
 *
 *   clusters:
 *     - name: "orders"
 *       columns:
 *         - "orders.id"
 *   unclustered:
 *     - "orders.note"
 */
#include "design/embed/embed.h"
#include "design/names/names.h"

#include "model/json_writer.h"
#include "plan/text/tree.h"
#include <string.h>

/* ---------------------------------------------------------------- writing */

/* JSON's strings are YAML's. */
static void append_columns(const struct names_clusters *clusters, uint32_t cluster,
                           const char *indent, struct buffer *out)
{
    for (uint32_t i = 0; i < clusters->names->count; i++) {
        if (clusters->of[i] == cluster) {
            buffer_format(out, "%s- ", indent);
            json_append_printable(out, clusters->names->columns[i].name);
            buffer_append_byte(out, '\n');
        }
    }
}

void names_append_file(const struct names_clusters *clusters, struct buffer *out)
{
    buffer_append_string(
        out,
        "# Columns in clusters, by the similarity of their names. The next `transhume analyze` "
        "into this folder\n# reads them from here, unless it is given --algorithm or "
        "--clusters: edit them as you like.\nclusters:\n");
    for (uint32_t i = 0; i < clusters->count; i++) {
        buffer_append_string(out, "  - name: ");
        json_append_printable(out, clusters->list[i]);
        buffer_append_string(out, "\n    columns:\n");
        append_columns(clusters, i, "      ", out);
    }
    if (names_cluster_size(clusters, NAMES_NONE) > 0) {
        buffer_append_string(out, "unclustered:\n");
        append_columns(clusters, NAMES_NONE, "  ", out);
    }
}

void names_append_list(const struct names_clusters *clusters, struct buffer *out)
{
    for (uint32_t i = 0; i <= clusters->count; i++) {
        uint32_t cluster = i < clusters->count ? i : NAMES_NONE;
        uint32_t size = names_cluster_size(clusters, cluster);
        if (cluster == NAMES_NONE && size == 0) {
            continue;
        }
        if (cluster == NAMES_NONE) {
            buffer_format(out, "   in no cluster (%u)\n", size);
        } else {
            buffer_format(out, "%2u %s (%u)\n", i + 1, clusters->list[i], size);
        }
        for (uint32_t j = 0; j < clusters->names->count; j++) {
            if (clusters->of[j] == cluster) {
                buffer_format(out, "     %s\n", clusters->names->columns[j].name);
            }
        }
    }
}

/* ---------------------------------------------------------------- reading */

struct reading {
    struct names_clusters *clusters;
    const char *path;
    bool *placed; /* by column */
    uint32_t placed_count;
    uint32_t gone;
    struct buffer *notes;
    struct plan_faults faults;
};

static void names_file_note(struct reading *reading, const struct plan_node *node, const char *what)
{
    buffer_format(reading->notes, "%s:%u:%u: %.200s %s\n", reading->path, node->line, node->column,
                  node->text, what);
}

static void fault(struct reading *reading, const struct plan_node *node, const char *what)
{
    plan_fault(&reading->faults, ERROR_BAD_VALUE, node, NULL, "%s", what);
}

static void read_columns(struct reading *reading, const struct plan_node *list, uint32_t cluster)
{
    if (list == NULL || list->kind != PLAN_NODE_LIST) {
        if (list != NULL && !plan_node_is_null(list)) {
            fault(reading, list, "columns are a list of \"table.column\"");
        }
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct plan_node *item = list->items[i];
        if (item->kind != PLAN_NODE_SCALAR) {
            fault(reading, item, "a column is a text, \"table.column\"");
            continue;
        }
        uint32_t column =
            name_index_find(&reading->clusters->names->index, item->text, item->length);
        if (column == NAME_INDEX_NONE) {
            reading->gone++;
            names_file_note(reading, item, "is no column of the source any more");
        } else if (reading->placed[column]) {
            names_file_note(reading, item, "is there twice; where it is first counts");
        } else {
            reading->placed[column] = true;
            reading->placed_count++;
            reading->clusters->of[column] = cluster;
        }
    }
}

/* One that has none of the columns any more is left out. */
static void read_cluster(struct reading *reading, const struct plan_node *node)
{
    struct names_clusters *clusters = reading->clusters;
    const struct plan_node *name_node = plan_node_get(node, "name");
    const char *name = plan_node_text(name_node);
    uint32_t before = reading->placed_count;
    if (name == NULL || name[0] == '\0') {
        fault(reading, node, "a cluster has a name and columns");
        return;
    }
    if (clusters->count >= clusters->names->count) {
        return;
    }
    const char *unique = names_unique(clusters, name);
    if (strcmp(unique, name) != 0) {
        names_file_note(reading, name_node, "is the name of another cluster, too");
    }
    clusters->list[clusters->count] = unique;
    read_columns(reading, plan_node_get(node, "columns"), clusters->count);
    clusters->count += reading->placed_count > before;
}

static void read_root(struct reading *reading, const struct plan_node *root)
{
    const struct plan_node *list = plan_node_get(root, "clusters");
    if (list == NULL || list->kind != PLAN_NODE_LIST) {
        fault(reading, root, "there is no list of `clusters:`");
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        read_cluster(reading, list->items[i]);
    }
    read_columns(reading, plan_node_get(root, "unclustered"), NAMES_NONE);
}

/* ---------------------------------------------------------------- what is new */

static float product(const float *left, const float *right)
{
    float sum = 0;
    for (uint32_t i = 0; i < EMBED_WIDTH; i++) {
        sum += left[i] * right[i];
    }
    return sum;
}

static uint32_t nearest(const float *centers, uint32_t count, const float *vector)
{
    uint32_t best = NAMES_NONE;
    float least = 0;
    for (uint32_t i = 0; i < count; i++) {
        const float *center = centers + (size_t)i * EMBED_WIDTH;
        float distance = product(center, center) - 2 * product(center, vector);
        if (best == NAMES_NONE || distance < least) {
            best = i;
            least = distance;
        }
    }
    return best;
}

static void place_new(struct reading *reading)
{
    struct names_clusters *clusters = reading->clusters;
    const struct names *names = clusters->names;
    float *centers = arena_allocate_zeroed(clusters->arena, clusters->count + 1u,
                                           EMBED_WIDTH * sizeof(*centers));
    for (uint32_t i = 0; i < clusters->count; i++) {
        names_center(clusters, i, centers + (size_t)i * EMBED_WIDTH);
    }
    for (uint32_t i = 0; i < names->count; i++) {
        if (reading->placed[i]) {
            continue;
        }
        uint32_t cluster =
            nearest(centers, clusters->count, names->vectors + (size_t)i * EMBED_WIDTH);
        clusters->of[i] = cluster;
        buffer_format(reading->notes, "%s: %.200s is new%s%.200s\n", reading->path,
                      names->columns[i].name, cluster == NAMES_NONE ? "" : ", and put into ",
                      cluster == NAMES_NONE ? "" : clusters->list[cluster]);
    }
}

enum status names_read_file(const struct names *names, const char *text, size_t length,
                            const char *path, struct names_clusters *clusters, struct buffer *notes,
                            struct error *error)
{
    struct arena *arena = names->arena;
    struct buffer found = {0};
    struct reading reading = {.clusters = clusters, .path = path, .notes = &found};
    *clusters = (struct names_clusters){.arena = arena, .names = names};
    clusters->of = arena_allocate_zeroed(arena, names->count + 1u, sizeof(*clusters->of));
    clusters->list = arena_allocate_zeroed(arena, names->count + 1u, sizeof(*clusters->list));
    reading.placed = arena_allocate_zeroed(arena, names->count + 1u, sizeof(*reading.placed));
    for (uint32_t i = 0; i < names->count; i++) {
        clusters->of[i] = NAMES_NONE;
    }
    plan_faults_init(&reading.faults, path, NULL);
    const struct plan_node *root = plan_tree_read(text, length, arena, &reading.faults);
    if (root != NULL) {
        read_root(&reading, root);
    }
    enum status status = plan_faults_result(&reading.faults, error);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_BAD_VALUE);
    } else if (root == NULL || (reading.placed_count == 0 && reading.gone > 0)) {
        status = STATUS_END;
    } else {
        place_new(&reading);
        buffer_append_buffer(notes, &found);
    }
    buffer_free(&found);
    return status;
}
