import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";

/** The part of opentelemetry.proto.collector.trace.v1 that carries spans. */
const PROTO = `
syntax = "proto3";
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  bytes parent_span_id = 4;
  string name = 5;
  int32 kind = 6;
  fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9;
  repeated Event events = 11;
  Status status = 15;
}
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }`;
const Request = protobuf.parse(PROTO, { keepCase: true }).root.lookupType("ExportTraceServiceRequest");

type Plain = string | number | boolean | undefined;

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty at the root. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, Plain>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, Plain>> }[];
  readonly failed: boolean;
  readonly resource: Readonly<Record<string, Plain>>;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** Of each request. */
  readonly headers: IncomingHttpHeaders[];
  /** Answers with this from now on. */
  readonly answerWith: (status: number) => void;
  close(): Promise<void>;
}

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/** A collector on loopback that takes OTLP over http/protobuf and keeps the spans. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: IncomingHttpHeaders[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      headers.push(request.headers);
      if (status === 200 && request.url === "/v1/traces") spans.push(...readSpans(Buffer.concat(chunks)));
      response.writeHead(request.url === "/v1/traces" ? status : 404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    spans,
    headers,
    answerWith: (wanted) => void (status = wanted),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One line for each span, under its parent: what a person sees in a trace viewer. */
export function treeOf(spans: readonly ReceivedSpan[], parentId: string, indent = ""): string[] {
  return spans
    .filter((span) => span.parentId === parentId)
    .toSorted((a, b) => a.startMs - b.startMs)
    .flatMap((span) => [`${indent}${label(span)}`, ...treeOf(spans, span.spanId, `${indent}  `)]);
}

function label({ name, attributes }: ReceivedSpan): string {
  const of = ["touchstone.source", "touchstone.metric", "touchstone.version", "touchstone.test", "touchstone.look"];
  return [name, ...of.flatMap((key) => (attributes[key] === undefined ? [] : [attributes[key]]))].join(" ");
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, Plain>>;
}

interface WireSpan {
  readonly trace_id: Uint8Array;
  readonly span_id: Uint8Array;
  readonly parent_span_id: Uint8Array;
  readonly name: string;
  readonly kind: number;
  readonly start_time_unix_nano: string;
  readonly end_time_unix_nano: string;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly KeyValue[] }[];
  readonly status?: { readonly code: number };
}

function readSpans(bytes: Buffer): ReceivedSpan[] {
  const { resource_spans: all } = Request.toObject(Request.decode(bytes), { longs: String, arrays: true }) as {
    resource_spans: { resource: { attributes: KeyValue[] }; scope_spans: { spans: WireSpan[] }[] }[];
  };
  return all.flatMap(({ resource, scope_spans: scopes }) =>
    scopes.flatMap(({ spans }) =>
      spans.map((span): ReceivedSpan => ({
        traceId: hex(span.trace_id),
        spanId: hex(span.span_id),
        parentId: hex(span.parent_span_id),
        name: span.name,
        kind: KINDS[span.kind] ?? "",
        startMs: Number(BigInt(span.start_time_unix_nano) / 1000n) / 1000,
        endMs: Number(BigInt(span.end_time_unix_nano) / 1000n) / 1000,
        attributes: toObject(span.attributes),
        events: span.events.map(({ name, attributes }) => ({ name, attributes: toObject(attributes) })),
        failed: span.status?.code === 2,
        resource: toObject(resource.attributes),
      })),
    ),
  );
}

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");

function toObject(attributes: readonly KeyValue[]): Record<string, Plain> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const [kind, plain] = Object.entries(value)[0] ?? [];
      return [key, kind === "int_value" ? Number(plain) : plain];
    }),
  );
}
