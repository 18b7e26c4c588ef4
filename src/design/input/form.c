#include "design/input/form.h"

struct form {
    struct buffer *out;
    const struct graph *graph;
    const struct workload_statement *statement;
};

static void append_field(const struct form *form, struct workload_reference field)
{
    const struct workload_alias *alias = &form->statement->aliases[field.alias];
    buffer_format(form->out, "%s.%s", alias->name,
                  form->graph->entities[alias->entity].fields[field.field].name);
}

static void append_fields(const struct form *form, const char *lead,
                          const struct workload_reference *fields, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(form->out, i > 0 ? ", " : lead);
        append_field(form, fields[i]);
    }
}

static void append_joins(const struct form *form)
{
    const struct workload_statement *statement = form->statement;
    for (uint32_t i = 0; i < statement->alias_count; i++) {
        const struct workload_alias *alias = &statement->aliases[i];
        buffer_format(form->out, "%s%s%s %s", i > 0 ? ", " : " FROM ",
                      alias->optional ? "maybe " : "", form->graph->entities[alias->entity].name,
                      alias->name);
    }
    for (uint32_t i = 0; i < statement->join_count; i++) {
        const struct workload_join *join = &statement->joins[i];
        const struct graph_relation *relation = &form->graph->relations[join->relation];
        buffer_append_string(form->out, i > 0 ? ", " : " JOIN ");
        for (uint32_t f = 0; f < relation->fields.count; f++) {
            buffer_append_string(form->out, f > 0 ? "+" : "");
            append_field(form, (struct workload_reference){join->from, relation->fields.at[f]});
        }
        buffer_format(form->out, ">%s", statement->aliases[join->to].name);
    }
}

static void append_predicates(const struct form *form, bool counts)
{
    static const char *const tests[] = {[WORKLOAD_EQUAL] = " =",
                                        [WORKLOAD_IN] = " in",
                                        [WORKLOAD_RANGE] = " range",
                                        [WORKLOAD_FILTER] = " filter"};
    for (uint32_t i = 0; i < form->statement->predicate_count; i++) {
        const struct workload_predicate *predicate = &form->statement->predicates[i];
        buffer_append_string(form->out, i > 0 ? ", " : " WHERE ");
        append_field(form, predicate->field);
        buffer_append_string(form->out, tests[predicate->test]);
        if (predicate->test == WORKLOAD_IN && counts) {
            buffer_format(form->out, "%g", predicate->values);
        }
        buffer_format(form->out, predicate->operand != NULL ? " %s" : "%s",
                      predicate->operand != NULL ? predicate->operand : "");
    }
}

void input_form_append(struct buffer *out, const struct graph *graph,
                       const struct workload_statement *statement, bool counts)
{
    static const char *const kinds[] = {[WORKLOAD_SELECT] = "SELECT",
                                        [WORKLOAD_INSERT] = "INSERT",
                                        [WORKLOAD_UPDATE] = "UPDATE",
                                        [WORKLOAD_DELETE] = "DELETE"};
    const struct form form = {out, graph, statement};
    buffer_append_string(out, kinds[statement->kind]);
    buffer_append_string(out, statement->distinct ? " distinct" : "");
    buffer_append_string(out, statement->aggregates ? " aggregates" : "");
    append_fields(&form, " ", statement->fields, statement->field_count);
    append_joins(&form);
    append_predicates(&form, counts);
    append_fields(&form, " GROUP ", statement->group, statement->group_count);
    for (uint32_t i = 0; i < statement->order_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : " ORDER ");
        append_field(&form, statement->order[i].field);
        buffer_append_string(out, statement->order[i].descending ? " desc" : "");
    }
    if (statement->limit > 0) {
        buffer_append_string(out, " LIMIT");
        if (counts) {
            buffer_format(out, " %lld", (long long)statement->limit);
        }
    }
    if (statement->unserved != NULL) {
        buffer_format(out, " UNSERVED %s; %s", statement->unserved, statement->alternative);
    }
}
