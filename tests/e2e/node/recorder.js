// Runs a session of the official Node SDK's CaptureClient on the recorder that is named by the first arguments.
'use strict'
const { CaptureClient } = require('videodb/capture')

const [command, ...args] = process.argv.slice(2)
// The SDK prints what the recorder says; only what is written below is for the test.
console.log = console.warn = console.error = () => {}

async function main() {
  const client = new CaptureClient({ sessionToken: 'st-1', apiUrl: 'http://127.0.0.1:1', restartOnError: false })
  const binary = client.binaryManager
  binary.getBinaryCommand = () => ({ command, args })
  binary.installer.isInstalled = () => true
  const heard = []
  for (const name of ['recording:started', 'upload:progress', 'recording:stopped']) {
    client.on(name, (payload) => heard.push([name, payload]))
  }
  const stopped = new Promise((resolve) => client.on('recording:stopped', resolve))
  const permission = await client.requestPermission('microphone')
  const channels = await client.listChannels()
  await client.startSession({
    sessionId: 'cap-1',
    channels: [{ channelId: 'mic:default', type: 'audio' }, { channelId: 'display:1', type: 'video' }],
  })
  await channels.mics.default.pause()
  await channels.displays.default.resume()
  await client.stopSession()
  await stopped
  await client.shutdown()
  const names = channels.all().map((channel) => [channel.id, channel.name])
  process.stdout.write(JSON.stringify({ permission, names, heard }) + '\n', () => process.exit(0))
}

main().catch((error) => process.stdout.write(JSON.stringify({ error: String(error) }) + '\n', () => process.exit(1)))
