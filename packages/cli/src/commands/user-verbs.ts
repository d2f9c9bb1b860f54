import type { Command } from 'commander'
import type { AddVerb } from '../program.ts'
import type { ChangeOptions } from '../user/checkpoint.ts'
import type { GetOptions } from '../user/get.ts'
import type { CreateDidOptions } from '../user/network-verbs.ts'
import type { ListOptions } from '../user/objects.ts'
import type { UserOptions } from '../user/open-storage.ts'
import type { PutVerbOptions } from '../user/put.ts'
import type { RestoreOptions } from '../user/restore.ts'
import { sendingOptions, userOptions } from './options.ts'

export function addCommands(program: Command, addVerb: AddVerb): void {
  const putCommand = program
    .command('put')
    .description('store a file, or standard input as -; prints its CID when it is durable')
    .argument('<file>')
    .option('--public', 'anybody may read it, found by its CID')
    .option('--name <name>', 'what to call it (default: the name of the file)')
    .option('--type <type>', 'its content type')
    .option('--policy <policy>', 'how it is spread, as rs:4+2')
    .option('--checkpoint', 'write a checkpoint at once, which costs gas')
  addVerb<PutVerbOptions>(sendingOptions(putCommand), async () => (await import('../user/put.ts')).put)

  const getCommand = program
    .command('get')
    .description('fetch a file by its CID, every byte checked')
    .argument('<cid>')
    .option('-o, --output <file>', 'where to write it; - is standard output')
  addVerb<GetOptions>(userOptions(getCommand), async () => (await import('../user/get.ts')).get)

  const lsCommand = program
    .command('ls')
    .description('list your files')
    .option('-l, --long', 'also until when they are stored')
  addVerb<ListOptions>(userOptions(lsCommand), async () => (await import('../user/objects.ts')).list)

  const rmCommand = program
    .command('rm')
    .description('delete a file')
    .argument('<cid-or-id>')
    .option('--checkpoint', 'write a checkpoint at once, which costs gas')
  addVerb<ChangeOptions>(sendingOptions(rmCommand), async () => (await import('../user/objects.ts')).remove)

  const statusCommand = program
    .command('status')
    .description('show who holds which piece of a file, and whether it is there')
    .argument('<cid>')
  addVerb<UserOptions>(userOptions(statusCommand), async () => (await import('../user/objects.ts')).status)

  const restoreCommand = program
    .command('restore')
    .description('rebuild all files of a DID from its key and one RPC endpoint')
    .requiredOption('--key <file>', 'key file of a wallet, or 64 hex digits in a file')
    .requiredOption('-o, --output <dir>', 'where to write the files')
    .option('--did <did>', 'the DID (default: the first one of the key)')
    .option('--from-checkpoint', 'ask no keeper: take what the chain remembers')
  addVerb<RestoreOptions>(userOptions(restoreCommand), async () => (await import('../user/restore.ts')).restore)

  const checkpointCommand = program
    .command('checkpoint')
    .description('have the chain remember what your key has stored')
  addVerb<UserOptions>(
    sendingOptions(checkpointCommand),
    async () => (await import('../user/checkpoint.ts')).checkpoint,
  )

  const infoCommand = program.command('info').description('show the network as the chain records it')
  addVerb<UserOptions>(userOptions(infoCommand), async () => (await import('../user/network-verbs.ts')).info)

  const did = program.command('did').description('your identity')
  const create = did
    .command('create')
    .description('make a key, an account and a DID; again changes nothing')
    .option('--relay <gateway>', 'URL of a gateway that pays for it; then no coin is needed')
  addVerb<CreateDidOptions>(sendingOptions(create), async () => (await import('../user/network-verbs.ts')).createDid)
  const show = did.command('show').description('show your DID, its keys and its account')
  addVerb<UserOptions>(userOptions(show), async () => (await import('../user/network-verbs.ts')).showDid)

  const doctor = program.command('doctor').description('look for what is wrong here')
  addVerb<UserOptions>(userOptions(doctor), async () => (await import('../doctor.ts')).doctor)
}
