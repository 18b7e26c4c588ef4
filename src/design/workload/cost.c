/* The costs of reads and writes. */
#include "design/workload/cost.h"

#include <math.h>

const struct cost_model cost_cassandra = {
    .unit = COST_WORK,
    .request = 0.0078395645,
    .partition = 0.0013692786,
    .row = 1.17093638e-5,
    .sorted_row = 1.17093638e-5,
    .scan = 1,
    .insert = 0.013329108,
    .remove = 0.0013287903,
    .stored_byte = 1e-12,
    .cells_max = 100000,
    .bytes_max = 100e6,
};

const struct cost_model cost_dynamodb = {
    .unit = COST_CAPACITY,
    .insert = 0.625,
    .remove = 0.625,
    .read_unit = 0.125,
    .stored_byte = 0.25 / 1073741824.0 * 1e-3,
    .sorted_row = 1e-6,
    .scan = 10,
    .step = 0.625, /* a step that is saved is worth one write of an index */
    .client = 0.125,
    .bytes_max = 3000.0 * 4096, /* what a partition serves in a second: 3,000 read units */
    .page_bytes = 1 << 20,
    .indexes = true,
};

struct cost_model cost_of_bytes(const struct cost_model *model, double weight, double bytes)
{
    struct cost_model heavier = *model;
    double request = cost_read(model, 1, 1, 1);
    double byte = bytes > 0 ? weight * request / bytes : 0;
    heavier.stored_byte = byte > model->stored_byte ? byte : model->stored_byte;
    return heavier;
}

double cost_read(const struct cost_model *model, double requests, double rows, double row_bytes)
{
    if (model->unit == COST_CAPACITY) {
        double each = requests > 0 ? rows / requests : 0;
        double units = ceil(each * row_bytes / 4096);
        return requests * (units < 1 ? 1 : units) * 0.5 * model->read_unit;
    }
    return requests * (model->request + model->partition) + rows * model->row;
}

double cost_write(const struct cost_model *model, double rows, double removed, double row_bytes)
{
    if (model->unit == COST_CAPACITY) {
        double units = ceil(row_bytes / 1024);
        units = units < 1 ? 1 : units;
        return (rows * model->insert + removed * model->remove) * units;
    }
    return rows * model->insert + removed * model->remove;
}
