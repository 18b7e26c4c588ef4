#include "connectors/cassandra/udts.h"

#include "connectors/cassandra/system_rows.h"
#include <string.h>

struct udt {
    struct text name;
    const struct text *field_names;
    const struct text *field_types;
    uint32_t field_count;
    const struct cql_type *type; /* NULL: not made yet, or can't be */
    bool begun;                  /* one that holds itself, which no server allows, ends here */
};

struct cassandra_udts {
    struct cql_udts finder; /* first */
    struct arena *arena;
    struct udt *list;
    uint32_t count;
    uint32_t capacity;
    const struct cql_type **made; /* in the order in which they were made */
    uint32_t made_count;
};

static void udts_make(struct cassandra_udts *udts, struct udt *udt)
{
    struct error ignored;
    if (udt->begun) {
        return;
    }
    udt->begun = true;
    const struct cql_type **parts =
        arena_allocate_zeroed(udts->arena, (size_t)udt->field_count + 1, sizeof(*parts));
    for (uint32_t at = 0; at < udt->field_count; at++) {
        error_clear(&ignored);
        if (cql_type_parse(udt->field_types[at], &udts->finder, udts->arena, &parts[at],
                           &ignored) != STATUS_OK) {
            return;
        }
    }
    struct cql_type *type = arena_allocate_zeroed(udts->arena, 1, sizeof(*type));
    *type = (struct cql_type){.kind = CQL_TYPE_UDT,
                              .part_count = udt->field_count,
                              .parts = parts,
                              .field_names = udt->field_names,
                              .name = udt->name};
    udt->type = type;
    udts->made[udts->made_count++] = type;
}

static bool is_equal(struct text left, struct text right)
{
    return left.length == right.length && memcmp(left.data, right.data, left.length) == 0;
}

/* Types of other keyspaces can't be used in this one. */
static const struct cql_type *udts_find(struct cql_udts *self, struct text keyspace,
                                        struct text name)
{
    struct cassandra_udts *udts = (struct cassandra_udts *)self;
    (void)keyspace;
    for (uint32_t at = 0; at < udts->count; at++) {
        if (is_equal(udts->list[at].name, name)) {
            udts_make(udts, &udts->list[at]);
            return udts->list[at].type;
        }
    }
    return NULL;
}

struct cassandra_udts *cassandra_udts_create(uint32_t capacity, struct arena *arena)
{
    struct cassandra_udts *udts = arena_allocate_zeroed(arena, 1, sizeof(*udts));
    *udts = (struct cassandra_udts){
        .finder = {udts_find},
        .arena = arena,
        .capacity = capacity,
        .list = arena_allocate_zeroed(arena, (size_t)capacity + 1, sizeof(*udts->list)),
        .made = arena_allocate_zeroed(arena, (size_t)capacity + 1, sizeof(*udts->made))};
    return udts;
}

void cassandra_udts_add(struct cassandra_udts *udts, struct text name,
                        const struct text *field_names, const struct text *field_types,
                        uint32_t field_count)
{
    if (udts->count < udts->capacity) {
        udts->list[udts->count++] = (struct udt){.name = name,
                                                 .field_names = field_names,
                                                 .field_types = field_types,
                                                 .field_count = field_count};
    }
}

enum status cassandra_udts_read(struct cassandra *self, struct arena *arena,
                                struct cassandra_udts **udts, struct error *error)
{
    enum { NAME, FIELD_NAMES, FIELD_TYPES, FIELDS };
    static const char select[] = "SELECT type_name, field_names, field_types FROM "
                                 "system_schema.types WHERE keyspace_name = ?";
    struct cql_value row[FIELDS];
    struct system_rows rows;
    *udts = NULL;
    if (system_rows_read(self, select, NULL, NULL, FIELDS, arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *udts = cassandra_udts_create((uint32_t)rows.rows.count, arena);
    while (system_rows_next(&rows, row)) {
        size_t names = 0;
        size_t types = 0;
        struct text *field_names = system_list(row[FIELD_NAMES], arena, &names);
        struct text *field_types = system_list(row[FIELD_TYPES], arena, &types);
        cassandra_udts_add(*udts, system_text(row[NAME]), field_names, field_types,
                           (uint32_t)(names < types ? names : types));
    }
    return system_rows_end(&rows, error);
}

struct cql_udts *cassandra_udts_finder(struct cassandra_udts *udts)
{
    return &udts->finder;
}

uint32_t cassandra_udts_count(const struct cassandra_udts *udts)
{
    return udts->count;
}

const struct cql_type *cassandra_udts_type(struct cassandra_udts *udts, uint32_t number)
{
    for (uint32_t at = 0; at < udts->count; at++) {
        udts_make(udts, &udts->list[at]);
    }
    return number < udts->made_count ? udts->made[number] : NULL;
}
