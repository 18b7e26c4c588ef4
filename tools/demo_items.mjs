// tools/demo_items.mjs ENDPOINT: the items of each DynamoDB table there, counted by a client that shares nothing with
// the program: Node's own HTTP and one Scan after another. The signature is a made-up one, which is all that an
// emulator wants; DynamoDB itself would refuse it.
const endpoint = process.argv[2];

async function ask(operation, body) {
    const answer = await fetch(endpoint, {
        method: "POST",
        headers: {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810." + operation,
            "X-Amz-Date": new Date().toISOString().replace(/[-:]|\.\d+/g, ""),
            Authorization: "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, " +
                "SignedHeaders=host, Signature=none",
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(30000),
    });
    const text = await answer.text();
    if (!answer.ok)
        throw new Error(`${operation}: ${answer.status} ${text}`);
    return JSON.parse(text);
}

async function count(table) {
    let items = 0;
    let page = {};
    do {
        page = await ask("Scan", {
            TableName: table, Select: "COUNT", ConsistentRead: true, ExclusiveStartKey: page.LastEvaluatedKey,
        });
        items += page.Count;
    } while (page.LastEvaluatedKey);
    return items;
}

for (const table of (await ask("ListTables", {})).TableNames.filter(name => !name.startsWith("_transhume")))
    console.log(`${String(await count(table)).padStart(8)} items in ${table}`);
