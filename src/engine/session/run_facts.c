/* Facts of a run: its kind, and the tables of its chunks. */
#include "engine/session/run_facts.h"

const struct plan_stream *run_chunk_stream(const struct run *run, uint64_t index)
{
    return run->loads_rejects ? &run->rejects.stream
                              : &run->session->plan->streams[run->chunks.list[index].stream];
}

const char *run_stream_table(const struct run *run, const struct plan_stream *stream)
{
    const struct plan *plan = run->session->plan;
    uint32_t table = plan->entities[stream->entities[0]].table;
    bool same = true;
    for (uint32_t i = 1; i < stream->entity_count && same; i++) {
        same = plan->entities[stream->entities[i]].table == table;
    }
    return same ? plan->tables[table].target.name : NULL;
}

const char *run_stream_entity(const struct run *run, const struct plan_stream *stream)
{
    return stream->entity_count == 1 ? run->session->plan->entities[stream->entities[0]].name
                                     : NULL;
}

const char *run_kind(const struct run *run)
{
    return run->repairs ? "repair" : run->loads_rejects ? "rejects" : "copy";
}

void run_set_kind(struct run *run, const char *kind)
{
    run->repairs = strcmp(kind, "repair") == 0;
    run->loads_rejects = run->repairs || strcmp(kind, "rejects") == 0;
}
