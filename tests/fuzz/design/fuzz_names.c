/* The designer's list of names: a JSON text. */
#include "support.h"

#include "design/graph/graph.h"
#include "design/input/names.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    struct schema schema;
    struct graph graph;
    struct input_names_report report;
    struct error error = {0};
    enum status status =
        input_names_read((const char *)data, size, "names.json", arena, &schema, &report, &error);
    if (status != STATUS_OK) {
        fuzz_check_error(&error);
        arena_destroy(arena);
        return 0;
    }
    uint64_t columns = 0;
    FUZZ_REQUIRE(schema.table_count > 0);
    for (uint32_t i = 0; i < schema.table_count; i++) {
        FUZZ_REQUIRE(schema.tables[i].column_count > 0);
        FUZZ_REQUIRE(i == 0 || strcmp(schema.tables[i].name, schema.tables[i - 1].name) > 0);
        columns += schema.tables[i].column_count;
    }
    FUZZ_REQUIRE(columns + report.findings.count == report.names);
    graph_from_schema(&schema, NULL, NULL, arena, &graph);
    FUZZ_REQUIRE(graph.entity_count == schema.table_count);
    arena_destroy(arena);
    return 0;
}
