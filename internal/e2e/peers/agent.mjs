// An agent on the JavaScript A2A SDK, in either of its two versions. The first
// word of the prompt says how it behaves. Usage: node agent.mjs 0|1 JSONRPC|HTTP+JSON
// Prints its URL once it listens, and stops when its standard input closes.
import express from 'express';
import { randomUUID } from 'node:crypto';

const [version, binding] = process.argv.slice(2);
const sdk = await import(`a2a-sdk-${version}/server`);
const web = await import(`a2a-sdk-${version}/server/express`);

// The two versions spell the same things differently.
const dialects = {
  0: {
    part: (text) => ({ kind: 'text', text }),
    textOf: (p) => p.text,
    agentRole: 'agent',
    states: { working: 'working', completed: 'completed', failed: 'failed', rejected: 'rejected', input: 'input-required' },
    message: (m) => ({ kind: 'message', ...m }),
    task: (t) => ({ kind: 'task', ...t }),
    status: (s) => ({ kind: 'status-update', ...s }),
    artifact: (a) => ({ kind: 'artifact-update', ...a }),
    card: (url) => ({ protocolVersion: '0.3.0', url, preferredTransport: binding }),
  },
  1: {
    part: (value) => ({ content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: 'text/plain' }),
    textOf: (p) => (p.content?.$case === 'text' ? p.content.value : ''),
    agentRole: 2,
    states: { working: 2, completed: 3, failed: 4, rejected: 7, input: 6 },
    message: (m) => sdk.AgentEvent.message({ extensions: [], referenceTaskIds: [], metadata: undefined, taskId: '', ...m }),
    task: (t) => sdk.AgentEvent.task({ metadata: undefined, ...t }),
    status: (s) => sdk.AgentEvent.statusUpdate({ metadata: undefined, ...s }),
    artifact: (a) => sdk.AgentEvent.artifactUpdate({ append: false, lastChunk: true, metadata: undefined, ...a }),
    card: (url) => ({
      supportedInterfaces: [{ url, protocolBinding: binding, protocolVersion: '1.0', tenant: '' }],
      securitySchemes: {}, securityRequirements: [], signatures: [], provider: undefined,
    }),
  },
};
const d = dialects[version];

class Behaviours {
  async execute(ctx, bus) {
    const { taskId, contextId } = ctx;
    const said = ctx.userMessage.parts.map(d.textOf).join('');
    const [word, ...rest] = said.split(' ');
    const text = rest.join(' ');
    const message = (t) => ({ messageId: randomUUID(), role: d.agentRole, parts: t === '' ? [] : [d.part(t)], contextId });
    const status = (state, t) => ({
      state: d.states[state], timestamp: new Date().toISOString(),
      message: t === undefined ? undefined : d.versionedMessage(message(t), taskId),
    });
    const open = () => bus.publish(d.task({ id: taskId, contextId, status: status('working'), artifacts: [], history: [ctx.userMessage] }));
    const end = (state, t) => {
      bus.publish(d.status({ taskId, contextId, status: status(state, t), final: true }));
      bus.finished();
    };
    const produce = (t) => bus.publish(d.artifact({
      taskId, contextId,
      artifact: { artifactId: randomUUID(), name: 'reply', description: '', parts: t === '' ? [] : [d.part(t)], extensions: [], metadata: undefined },
    }));

    switch (word) {
      case 'echo': bus.publish(d.message(message(text))); return bus.finished();
      case 'task': open(); produce(text); return end('completed');
      case 'empty': bus.publish(d.message(message(' '))); return bus.finished();
      case 'emptytask': open(); return end('completed');
      case 'phantom': bus.publish(d.message(message('(no response generated)'))); return bus.finished();
      case 'fail': open(); return end('failed', text);
      case 'reject': open(); return end('rejected', text);
      case 'input': open(); return end('input', text);
      case 'slow': open(); await new Promise((r) => setTimeout(r, 2500)); produce(text); return end('completed');
      case 'throw': throw new Error(text);
      case 'hang': open(); return new Promise(() => {});
      default: bus.publish(d.message(message(`unknown behaviour ${word}`))); return bus.finished();
    }
  }

  async cancelTask(taskId, bus) {
    bus.finished();
  }
}

// A message inside a status is the bare object in both versions.
d.versionedMessage = (m, taskId) => version === '1'
  ? { extensions: [], referenceTaskIds: [], metadata: undefined, ...m, taskId }
  : { kind: 'message', ...m, taskId };

const app = express();
const server = app.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const card = {
    name: `peer-${version}`, description: 'A peer for tests', version: '1.0.0',
    capabilities: { streaming: false, pushNotifications: false, extensions: [] },
    defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
    skills: [{ id: 'behave', name: 'Behave', description: 'Behaves as told', tags: ['test'], examples: [], inputModes: [], outputModes: [], securityRequirements: [] }],
    ...d.card(`${url}/a2a`),
  };
  const requestHandler = new sdk.DefaultRequestHandler(card, new sdk.InMemoryTaskStore(), new Behaviours());
  app.use('/.well-known/agent-card.json', web.agentCardHandler({ agentCardProvider: requestHandler }));
  const handler = { 'JSONRPC': web.jsonRpcHandler, 'HTTP+JSON': web.restHandler }[binding];
  app.use('/a2a', handler({ requestHandler, userBuilder: web.UserBuilder.noAuthentication }));
  process.stdout.write(`${url}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
