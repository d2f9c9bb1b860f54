export { PieceUnrepairableError, type RebuildOptions, rebuildPiece, TooFewPiecesError } from './rebuild-piece.ts'
