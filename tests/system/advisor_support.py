"""A language model's server that follows a script, in both APIs: Gemini's, and the one that OpenAI's servers and many
others speak."""
import json

import net_support


def gemini(text, ending="STOP", **more):
    parts = [] if text is None else [{"text": "(what it thinks)", "thought": True}, {"text": text[:7]},
                                     {"text": text[7:]}]
    return dict({"candidates": [{"content": {"parts": parts}, "finishReason": ending}]}, **more)


def openai(text, ending="stop", **message):
    return {"choices": [{"message": dict({"role": "assistant", "content": text}, **message), "finish_reason": ending}]}


def says(text, gemini_ending="STOP", openai_ending="stop"):
    """An answer in the API that was asked for; `text` may be what is to be written as JSON."""
    text = text if isinstance(text, str) or text is None else json.dumps(text)

    def answer(is_gemini):
        body = gemini(text, gemini_ending) if is_gemini else openai(text, openai_ending)
        return 200, json.dumps(body), {"Content-Type": "application/json"}
    return answer


def refuses(status, error, headers=None):
    return lambda _: (status, json.dumps({"error": error}), dict({"Content-Type": "application/json"},
                                                                 **(headers or {})))


def sends(status, body, kind="text/html"):
    """Something that is not of a model's server."""
    return lambda _: (status, body, {"Content-Type": kind})


def too_many(quota="GenerateRequestsPerMinutePerProjectPerModel-FreeTier", delay="15s", headers=None):
    """A 429 as Gemini writes it."""
    details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaMetric": "generate_content_free_tier_requests", "quotaId": quota,
                                "quotaDimensions": {"model": "gemini-2.5-flash"}, "quotaValue": "10"}]},
               {"@type": "type.googleapis.com/google.rpc.Help"}]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return refuses(429, {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED",
                         "details": details}, headers)


class Request:
    def __init__(self, target, headers, body):
        self.target, self.headers, self.text = target, headers, body.decode()
        self.body = json.loads(body)
        self.is_gemini = target.endswith(":generateContent")

    @property
    def system(self):
        if self.is_gemini:
            return self.body["systemInstruction"]["parts"][0]["text"]
        return self.body["messages"][0]["content"]

    @property
    def prompt(self):
        return self.body["contents"][0]["parts"][0]["text"] if self.is_gemini else self.body["messages"][1]["content"]

    @property
    def schema(self):
        if self.is_gemini:
            return self.body["generationConfig"].get("responseSchema")
        return self.body.get("response_format", {}).get("json_schema", {}).get("schema")


class Model(net_support.ScriptedServer):
    """Answers in the order given; what comes after the last one is a fault of the test."""

    def __init__(self, *answers, tls=None):
        self.answers, self.asked = list(answers), []
        super().__init__(net_support.answering(self.respond), tls=tls)

    def respond(self, _, target, headers, body):
        request = Request(target, headers, body)
        self.asked.append(request)
        if not self.answers:
            return 500, "the script has no more answers", {}
        return self.answers.pop(0)(request.is_gemini)
