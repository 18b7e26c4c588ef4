/*
 * Entities and relations as a drawing: what refers to nothing stands at the left, what refers to it
 * to its right, and each relation is a line from the one that refers. Colours are the page's.
 */
#include "design/analysis/analysis.h"

#include "observe/report_parts.h"
#include <string.h>

enum {
    BOX_WIDTH = 168,
    BOX_HEIGHT = 44,
    COLUMN_WIDTH = 236,
    ROW_HEIGHT = 60,
    MARGIN = 8,
    ENTITIES_MAX = 120, /* more than that nobody can read */
    NAME_SHOWN = 22
};

struct drawing {
    const struct graph *graph;
    uint32_t *columns; /* by entity: how far it is from what refers to nothing */
    uint32_t *rows;
    uint32_t column_count;
    uint32_t row_count;
    struct buffer *out;
};

/* The longest way of references, without going round circles. */
static void analysis_diagram_place(struct drawing *drawing, struct arena *arena)
{
    const struct graph *graph = drawing->graph;
    uint32_t *used = arena_allocate_zeroed(arena, graph->entity_count + 1u, sizeof(*used));
    bool moved = true;
    for (uint32_t round = 0; moved && round < graph->entity_count; round++) {
        moved = false;
        for (uint32_t i = 0; i < graph->relation_count; i++) {
            const struct graph_relation *relation = &graph->relations[i];
            uint32_t wanted = drawing->columns[relation->to] + 1;
            if (relation->from != relation->to && drawing->columns[relation->from] < wanted &&
                wanted < 8) {
                drawing->columns[relation->from] = wanted;
                moved = true;
            }
        }
    }
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        uint32_t column = drawing->columns[i];
        drawing->rows[i] = used[column]++;
        if (column + 1 > drawing->column_count) {
            drawing->column_count = column + 1;
        }
        if (used[column] > drawing->row_count) {
            drawing->row_count = used[column];
        }
    }
}

static uint32_t left_of(const struct drawing *drawing, uint32_t entity)
{
    return MARGIN + drawing->columns[entity] * COLUMN_WIDTH;
}

static uint32_t middle_of(const struct drawing *drawing, uint32_t entity)
{
    return MARGIN + drawing->rows[entity] * ROW_HEIGHT + BOX_HEIGHT / 2;
}

static void append_clipped(const char *name, struct buffer *out)
{
    char shown[NAME_SHOWN * 4 + 4];
    size_t length = 0;
    uint32_t characters = 0;
    for (; name[length] != '\0' && length < sizeof(shown) - 4; length++) {
        characters += ((unsigned char)name[length] & 0xC0) != 0x80;
        if (characters > NAME_SHOWN) {
            break;
        }
        shown[length] = name[length];
    }
    shown[length] = '\0';
    report_html(out, shown);
    buffer_append_string(out, name[length] != '\0' ? "…" : "");
}

static void append_relation(const struct drawing *drawing, const struct graph_relation *relation)
{
    uint32_t y1 = middle_of(drawing, relation->from);
    uint32_t y2 = middle_of(drawing, relation->to);
    uint32_t x1 = left_of(drawing, relation->from);
    uint32_t x2 = left_of(drawing, relation->to) + BOX_WIDTH;
    if (relation->from == relation->to) {
        return;
    }
    buffer_format(drawing->out,
                  "<path class=\"relation%s\" d=\"M%u %u C%d %u %u %u %u %u\"><title>",
                  relation->origin == GRAPH_DECLARED ? "" : " guessed", x1, y1, (int)x1 - 34, y1,
                  x2 + 34, y2, x2, y2);
    report_html(drawing->out, drawing->graph->entities[relation->from].name);
    buffer_append_string(drawing->out, " refers to ");
    report_html(drawing->out, drawing->graph->entities[relation->to].name);
    buffer_format(drawing->out, " (%s, %.0f %%)</title></path>\n",
                  graph_origin_name(relation->origin), relation->confidence * 100);
}

static void append_entity(const struct drawing *drawing, uint32_t number)
{
    const struct graph_entity *entity = &drawing->graph->entities[number];
    uint32_t x = left_of(drawing, number);
    uint32_t y = middle_of(drawing, number) - BOX_HEIGHT / 2;
    buffer_format(drawing->out,
                  "<g><title>%.0f rows</title><rect class=\"entity\" x=\"%u\" y=\"%u\" "
                  "width=\"%d\" height=\"%d\" rx=\"6\"/><text x=\"%u\" y=\"%u\">",
                  entity->rows, x, y, BOX_WIDTH, BOX_HEIGHT, x + 10, y + 18);
    append_clipped(entity->name, drawing->out);
    buffer_format(drawing->out, "</text><text class=\"key\" x=\"%u\" y=\"%u\">", x + 10, y + 35);
    struct buffer key = {0};
    for (uint32_t i = 0; i < entity->key.count; i++) {
        buffer_format(&key, "%s%s", i > 0 ? ", " : "", entity->fields[entity->key.at[i]].name);
    }
    append_clipped(buffer_string(&key), drawing->out);
    buffer_append_string(drawing->out, "</text></g>\n");
    buffer_free(&key);
}

void analysis_append_diagram(const struct analysis *analysis, struct buffer *out)
{
    const struct graph *graph = &analysis->graph;
    struct arena *scratch = arena_create(0);
    struct drawing drawing = {.graph = graph, .out = out};
    if (graph->entity_count == 0 || graph->entity_count > ENTITIES_MAX) {
        buffer_append_string(out, "<p class=\"quiet\">Too many tables to draw.</p>\n");
        arena_destroy(scratch);
        return;
    }
    drawing.columns = arena_allocate_zeroed(scratch, graph->entity_count, sizeof(uint32_t));
    drawing.rows = arena_allocate_zeroed(scratch, graph->entity_count, sizeof(uint32_t));
    analysis_diagram_place(&drawing, scratch);
    uint32_t width = (drawing.column_count - 1) * COLUMN_WIDTH + BOX_WIDTH + 2 * MARGIN;
    uint32_t height = (drawing.row_count - 1) * ROW_HEIGHT + BOX_HEIGHT + 2 * MARGIN;
    buffer_format(out,
                  "<div class=\"wide\"><svg class=\"entities-drawn\" role=\"img\" "
                  "aria-label=\"Tables and their foreign keys\" viewBox=\"0 0 %u %u\" width=\"%u\" "
                  "height=\"%u\">\n",
                  width, height, width, height);
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        append_relation(&drawing, &graph->relations[i]);
    }
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        append_entity(&drawing, i);
    }
    buffer_append_string(out, "</svg></div>\n");
    arena_destroy(scratch);
}
