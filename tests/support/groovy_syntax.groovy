// Compiles each file named, up to what can be known without Jenkins, and prints the method calls of
// its syntax tree: a line per call, with the names of the blocks around it and its constant texts.
// An assignment is a call of "=" with both sides, a condition one of "if" with what is asked.
import org.codehaus.groovy.ast.CodeVisitorSupport
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.IfStatement
import org.codehaus.groovy.control.*

class Calls extends CodeVisitorSupport {
  List<String> around = []

  // A map's own text is cut after a few entries.
  String whole(Expression one) {
    if (!(one instanceof MapExpression)) return one.text
    '[' + one.mapEntryExpressions.collect { it.keyExpression.text + ':' + whole(it.valueExpression) }.join(', ') + ']'
  }

  void say(String name, List texts) {
    println([around.join('/'), name, *texts].collect { it.toString().replace('\t', ' ').replace('\n', ' ') }.join('\t'))
  }

  void visitBinaryExpression(BinaryExpression both) {
    if (both.operation.text == '=') say('=', [both.leftExpression.text, both.rightExpression.text])
    around.push('=')
    super.visitBinaryExpression(both)
    around.pop()
  }

  void visitIfElse(IfStatement choice) {
    say('if', [choice.booleanExpression.text])
    around.push('if')
    choice.ifBlock.visit(this)
    around.pop()
  }

  void visitMethodCallExpression(MethodCallExpression call) {
    def texts = []
    def closures = []
    def each = { one ->
      if (one instanceof ClosureExpression) closures << one
      else if (one instanceof MapExpression) one.mapEntryExpressions.each { texts << it.keyExpression.text + '=' + whole(it.valueExpression) }
      else texts << one.text
    }
    if (call.arguments instanceof TupleExpression) call.arguments.expressions.each(each) else each(call.arguments)
    say(call.methodAsString, texts)
    around.push(call.methodAsString + (call.methodAsString == 'stage' && texts ? ":${texts[0]}" : ''))
    call.objectExpression.visit(this)
    call.arguments.visit(this)
    around.pop()
  }

  void visitClosureExpression(ClosureExpression closure) { closure.code.visit(this) }
}

args.each { name ->
  def unit = new CompilationUnit()
  unit.addSource(name, new File(name).getText('UTF-8'))
  unit.compile(Phases.CONVERSION)
  unit.AST.modules.each { it.statementBlock.visit(new Calls()) }
}
